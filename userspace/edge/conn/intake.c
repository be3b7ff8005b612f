// SPDX-License-Identifier: MIT
/* Clients that come through a load balancer, until it has said who they are. */
#include "edge/conn/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "edge/conn/accept.h"
#include "edge/conn/core.h"
#include "edge/conn/proxy_parse.h"
#include "edge/target/access_list.h"
#include "lib/base/container_of.h"

#define HEADER_NS (3 * NS_PER_SEC)

/* One whose header has not come, or not all of it. Owned by its worker's thread. */
struct intake {
	struct io io;
	struct conn_env *env;
	LIST_ENTRY(intake) entry;
	struct service *service;
	struct timer timer;
	struct deferred_free deferred;
	struct accepted client;
	uint64_t expected_slot;
	bool over;
};

/* What the socket has said so far. */
enum finding { FOUND_NOTHING_YET, FOUND_HEADER, FOUND_PAYLOAD, FOUND_WRONG, FOUND_RESET };

/* Looks without reading: as long as nothing was read it is open whose bytes these are (account.h). */
static enum finding look(int fd, struct announced *said)
{
	uint8_t data[PROXY_PARSE_MAX];
	struct proxy_said header;
	ssize_t n = recv(fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? FOUND_NOTHING_YET : FOUND_RESET;
	/* It has ended its half without a header. */
	if (!n)
		return FOUND_PAYLOAD;
	switch (proxy_parse(data, (size_t)n, &header)) {
	case PROXY_MORE:
		return FOUND_NOTHING_YET;
	case PROXY_NONE:
		return FOUND_PAYLOAD;
	case PROXY_BAD:
		return FOUND_WRONG;
	case PROXY_WHOLE:
		break;
	}
	*said = (struct announced){.client = header.client,
				   .local = header.local,
				   .len = (uint16_t)header.len,
				   .known = header.known};
	return FOUND_HEADER;
}

/* What is refused is refused as by the listener: before anything was done for it. */
static void enter(struct conn_env *env, struct service *service, const struct accepted *client,
		  uint64_t expected_slot, const struct announced *said, bool watched)
{
	const union addr *who = said && said->known ? &said->client : &client->peer;

	if (service->access && !access_list_permits(service->access, who))
		conn_refuse(env, service, client->fd, END_DENIED);
	else
		conn_begin(env, service, client, expected_slot, said, watched);
}

/* Acts on what was found. False: the rest has to be waited for. */
static bool decide(struct conn_env *env, struct service *service, const struct accepted *client,
		   uint64_t expected_slot, bool late, bool watched)
{
	struct announced said;
	enum finding found = look(client->fd, &said);

	if (found == FOUND_NOTHING_YET && !late)
		return false;
	if (found == FOUND_HEADER)
		enter(env, service, client, expected_slot, &said, watched);
	else if (found == FOUND_RESET)
		conn_refuse(env, service, client->fd, END_CLIENT_GONE);
	else if (found == FOUND_WRONG || service->rule->accept_proxy == RULE_ACCEPT_REQUIRED)
		conn_refuse(env, service, client->fd, END_NO_HEADER);
	else
		enter(env, service, client, expected_slot, NULL, watched);
	return true;
}

static void free_intake(struct deferred_free *deferred)
{
	free(container_of(deferred, struct intake, deferred));
}

/* Gives back all but the socket. */
static void finish(struct intake *i)
{
	i->over = true;
	timer_clear(&i->env->loop->timers, &i->timer);
	LIST_REMOVE(i, entry);
	atomic_fetch_sub_explicit(&i->env->n, 1, memory_order_relaxed);
	loop_defer_free(i->env->loop, &i->deferred, free_intake);
}

static void go_on(struct intake *i, bool late)
{
	struct service *service = i->service;

	if (!decide(i->env, service, &i->client, i->expected_slot, late, true))
		return;
	finish(i);
	service_unref(service);
}

static void on_event(struct io *io, unsigned slot, uint32_t events)
{
	struct intake *i = container_of(io, struct intake, io);

	if (i->over)
		return;
	loop_does(i->env->loop, "reading a header of the PROXY protocol");
	go_on(i, false);
}

static void on_timer(struct timer *timer)
{
	go_on(container_of(timer, struct intake, timer), true);
}

static int wait(struct intake *i)
{
	struct loop *l = i->env->loop;
	int err = loop_add(l, i->client.fd, &i->io, CONN_CLIENT_SLOT,
			   EPOLLIN | EPOLLRDHUP | EPOLLET);

	return err ? err : timer_set(&l->timers, &i->timer, l->now_ns + HEADER_NS);
}

static struct intake *intake_new(struct conn_env *env, struct service *service,
				 const struct accepted *client, uint64_t expected_slot)
{
	struct intake *i = io_alloc(sizeof(*i));

	if (!i)
		return NULL;
	i->io.event = on_event;
	i->timer.fire = on_timer;
	i->env = env;
	i->service = service_ref(service);
	i->client = *client;
	i->expected_slot = expected_slot;
	LIST_INSERT_HEAD(&env->waiting, i, entry);
	atomic_fetch_add_explicit(&env->n, 1, memory_order_relaxed);
	return i;
}

/* Closes the socket and gives back the rest. */
static void drop(struct intake *i, enum end_reason reason)
{
	struct service *service = i->service;

	finish(i);
	conn_refuse(i->env, service, i->client.fd, reason);
	service_unref(service);
}

void intake_begin(struct conn_env *env, struct service *service, const struct accepted *client,
		  uint64_t expected_slot)
{
	struct intake *i;

	if (!access_list_permits(service->balancers, &client->peer)) {
		if (service->rule->accept_proxy == RULE_ACCEPT_REQUIRED)
			conn_refuse(env, service, client->fd, END_DENIED);
		else
			enter(env, service, client, expected_slot, NULL, false);
		return;
	}
	if (decide(env, service, client, expected_slot, false, false))
		return;
	i = intake_new(env, service, client, expected_slot);
	if (!i)
		conn_refuse(env, service, client->fd, END_LOCAL);
	else if (wait(i) < 0)
		drop(i, END_LOCAL);
}

void intake_end_all(struct conn_env *env)
{
	while (!LIST_EMPTY(&env->waiting))
		drop(LIST_FIRST(&env->waiting), END_DRAINED);
}
