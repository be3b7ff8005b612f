// SPDX-License-Identifier: MIT
/* Accepting: level-triggered, a bounded share per turn, paused while file descriptors run short. */
#include "edge/worker/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/account/account.h"
#include "edge/conn/accept.h"
#include "edge/conn/core.h"
#include "edge/conn/sni_table.h"
#include "edge/target/hops.h"
#include "edge/target/service.h"
#include "edge/target/source.h"
#include "edge/worker/accepting.h"
#include "edge/worker/backlog.h"
#include "edge/worker/bind.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"
#include "lib/rule/span.h"

/* Of one listener in one event, and of all in one turn. */
#define ACCEPT_SHARE 64
#define TURN_SHARE   256
/* While this few events came together, one accept4 per event: with a single client the second one
 * would only ever say EAGAIN, and the listener is level-triggered. */
#define QUIET_BATCH 2
#define PAUSE_NS    (100 * NS_PER_MS)
/* A pause never outlasts this: what waits then is reset, as nothing else may ever free a descriptor
 * (a circle over two edges waits for itself). */
#define PAUSE_MAX_NS (5 * NS_PER_SEC)

/*
 * Whether a listener that got descriptor @fd accepts no more for now. A rule that has more than half of
 * the descriptors leaves the last eighth to the others, if there are others. A connection takes two.
 */
static bool runs_short(const struct listener *l, int fd)
{
	unsigned all = l->env->fd_pause_at;
	bool alone = !LIST_NEXT(LIST_FIRST(&l->env->all), entry);

	if ((unsigned)fd < all - all / 8)
		return false;
	return (unsigned)fd >= all || (!alone && 2 * totals_active(l->service->totals) > all / 2);
}

/* The lowest free descriptor says how full the table is, without taking a client's place. */
static bool room_for_more(const struct listener *l)
{
	int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return false;
	close(fd);
	return !runs_short(l, fd);
}

/* Resets some of those that have waited through the longest pause there is. */
static void shed(struct listener *l)
{
	struct accepted client;
	unsigned n = 0;

	for (unsigned share = ACCEPT_SHARE; share; share--) {
		if (accept_client(l->env, l->fd, l->service, l->sni, l->port, &client))
			break;
		if (client.fd >= 0) {
			conn_refuse(l->env->conns, l->service, client.fd, END_LOCAL);
			n++;
		}
	}
	if (!n || l->shedding)
		return;
	l->shedding = true;
	log_event(LOG_WARN, "accept.shed", LOGF_UINT("worker", l->env->worker),
		  LOGF_UINT("rule", l->service->rule->id),
		  LOGF_STR("hint",
			   "no descriptor became free for seconds: new clients are reset; raise "
			   "RLIMIT_NOFILE (LimitNOFILE=)"));
}

static void resume(struct timer *t)
{
	struct listener *l = container_of(t, struct listener, resume);
	struct loop *loop = l->env->loop;

	if (!room_for_more(l)) {
		if (loop->now_ns - l->paused_ns >= PAUSE_MAX_NS)
			shed(l);
		if (timer_set(&loop->timers, t, loop->now_ns + PAUSE_NS) == 0)
			return;
	}
	l->paused_ns = 0;
	l->shedding = false;
	loop_move(loop, l->fd, &l->io, 0, EPOLLIN);
}

/* No fd, or no memory, is left for more: those that wait keep waiting in the kernel's queue. */
static void pause_accepting(struct listener *l, int err)
{
	struct loop *loop = l->env->loop;

	if (atomic_fetch_add(&l->env->pauses, 1) == 0)
		log_event(LOG_WARN, "accept.paused", LOGF_UINT("worker", l->env->worker),
			  LOGF_STR("error", strerror(err)),
			  LOGF_STR("hint", "raise RLIMIT_NOFILE (LimitNOFILE=); a connection takes "
					   "two file descriptors"));
	l->paused_ns = loop->now_ns;
	if (timer_set(&loop->timers, &l->resume, loop->now_ns + PAUSE_NS) == 0)
		loop_move(loop, l->fd, &l->io, 0, 0);
}

/* Returns 0 while there may be more, else an errno; EMFILE when descriptors run short. */
static int accept_one(struct listener *l)
{
	struct accepted client;
	int err = accept_client(l->env, l->fd, l->service, l->sni, l->port, &client);

	if (err || client.fd < 0)
		return err;
	client_begin(l->env, l->service, l->sni, &client, l->expected_slot);
	return runs_short(l, client.fd) ? EMFILE : 0;
}

/* How many clients this event may bring. Those that wait are told of again in the next turn. */
static unsigned take_share(struct listener_env *env)
{
	unsigned share = env->loop->batch <= QUIET_BATCH ? 1 : ACCEPT_SHARE;

	if (env->turn_ns != env->loop->now_ns) {
		env->turn_ns = env->loop->now_ns;
		env->share = TURN_SHARE;
	}
	return share < env->share ? share : env->share;
}

static void on_event(struct io *io, unsigned slot, uint32_t events)
{
	struct listener *l = container_of(io, struct listener, io);
	unsigned share = take_share(l->env);
	int err = 0;

	loop_does(l->env->loop, "accepting clients");
	while (share-- && !err) {
		err = accept_one(l);
		l->env->share -= !err;
	}
	if (err && err != EAGAIN)
		pause_accepting(l, err);
}

struct listener *listener_new(struct listener_env *env, const struct listening *of,
			      struct service *service, struct sni_table *sni)
{
	struct listener *l = io_alloc(sizeof(*l));

	if (!l)
		goto err;
	l->io.event = on_event;
	l->env = env;
	l->service = service;
	l->sni = sni;
	l->expected_slot = of->slot;
	l->fd = of->fd;
	l->bound = of->port;
	l->port = rule_is_range(service->rule) ? 0 : of->port;
	l->resume.fire = resume;
	if (loop_add(env->loop, of->fd, &l->io, 0, EPOLLIN) < 0)
		goto err;
	LIST_INSERT_HEAD(&env->all, l, entry);
	hops_listen(env->hops, of->port, 1);
	return l;

err:
	log_event(LOG_ERROR, "listener.lost", LOGF_UINT("rule", service->rule->id),
		  LOGF_STR("error", "no memory to accept on one worker"));
	free(l);
	close(of->fd);
	service_unref(service);
	sni_table_unref(sni);
	return NULL;
}

/* Sockets accepted from now on have another congestion control, or the host's own again. */
static void change_congestion(struct listener *l, const char *old, const char *new)
{
	if (!old && !new)
		return;
	if (!old || !new || strcmp(old, new) != 0)
		source_set_congestion(l->fd, new);
}

void listener_set_service(struct listener *l, struct service *service)
{
	if (!l->sni)
		change_congestion(l, l->service->rule->congestion_control,
				  service->rule->congestion_control);
	service_unref(l->service);
	l->service = service;
	/* Who waits in the queue may have come by a port that the rule has no longer. */
	if (rule_is_range(service->rule))
		l->port = 0;
}

/*
 * What a socket has inherited shows only whether it was accepted before or after this one was tagged
 * anew. So those that wait are tagged each by itself, whatever they were born with; that has to be
 * before they are read from (account_tag_client()), so they are not asked for a name.
 */
static void change_kind(struct listener *l, struct service *service, const struct listener_tag *tag)
{
	bool untagged = l->expected_slot == ACCOUNT_SLOT_UNTAGGED ||
			account_tag_listener(l->env->conns->account, l->fd, tag->rule_id,
					     tag->unassigned_slot, tag->expected_slot) < 0;

	l->expected_slot = untagged ? ACCOUNT_SLOT_UNTAGGED : tag->expected_slot;
	backlog_take(l->env, l->fd, service, NULL, l->port, untagged ? ACCOUNT_SLOT_UNTAGGED : 0);
}

void listener_set_sni(struct listener *l, struct service *service, struct sni_table *sni,
		      const struct listener_tag *tag)
{
	bool now = sni, before = l->sni;

	if (now != before)
		change_kind(l, sni ? l->service : service, tag);
	/* Where the rule is not known yet each connection gets its own (conn_routed()). */
	change_congestion(l, before ? NULL : l->service->rule->congestion_control,
			  now ? NULL : service->rule->congestion_control);
	sni_table_unref(l->sni);
	l->sni = sni;
	service_unref(l->service);
	l->service = service;
}

void listener_close(struct listener *l)
{
	backlog_take(l->env, l->fd, l->service, l->sni, l->port, l->expected_slot);
	hops_listen(l->env->hops, l->bound, -1);
	timer_clear(&l->env->loop->timers, &l->resume);
	close(l->fd);
	LIST_REMOVE(l, entry);
	service_unref(l->service);
	sni_table_unref(l->sni);
	free(l);
}
