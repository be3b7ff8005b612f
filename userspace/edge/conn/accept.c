// SPDX-License-Identifier: MIT
/* The way in: an accepted socket becomes a connection, and its events go to the part in charge. */
#include "edge/conn/accept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "edge/conn/core.h"
#include "edge/conn/legs.h"
#include "edge/conn/relaying.h"
#include "edge/conn/walk.h"
#include "edge/target/source.h"
#include "lib/base/addr.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"

int conn_env_init(struct conn_env *env)
{
	dial_env_init(&env->dials);
	slab_init(&env->conns, sizeof(struct conn));
	permits_init(&env->permits, env->loop, env->dials.worker);
	LIST_INIT(&env->all);
	LIST_INIT(&env->cursors);
	LIST_INSERT_HEAD(&env->cursors, &env->sweep, entry);
	LIST_INIT(&env->waiting);
	conn_walks_init(env);
	env->relay.buf = malloc(RELAY_COPY_BYTES);
	return env->relay.buf ? 0 : -ENOMEM;
}

void conn_env_close(struct conn_env *env)
{
	pipe_pool_trim(&env->relay.pool, 0);
	slab_close(&env->conns);
	permits_close(&env->permits);
	conn_walks_close(env);
	dial_env_close(&env->dials);
	free(env->relay.buf);
}

/* NULL where nobody wants to know, or without memory. */
static struct conn_peer *peer_of(const struct accepted *client, const struct announced *said)
{
	bool announced = said && said->known;
	struct conn_peer *p;

	if (!announced && !log_enabled(LOG_DEBUG))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->announced = announced;
	p->client = announced ? said->client : client->peer;
	if (announced)
		p->local = said->local;
	return p;
}

static void on_conn_event(struct io *io, unsigned slot, uint32_t events)
{
	struct conn *c = container_of(io, struct conn, io);

	switch ((enum conn_state)c->state) {
	case CONN_DIALLING:
		loop_does(c->env->loop, "dialling");
		if (slot != CONN_CLIENT_SLOT) {
			conn_walk_event(c, slot, events);
			return;
		}
		/* RDHUP alone is a legitimate half-close: a request, then FIN. */
		conn_note_events(c, CLIENT, events);
		if (events & (EPOLLERR | EPOLLHUP))
			conn_close(c, END_CLIENT_GONE);
		else if (events & (EPOLLIN | EPOLLRDHUP))
			conn_walk_client_spoke(c);
		return;
	case CONN_RELAYING:
	case CONN_ABORTING:
		if (slot != CONN_CLIENT_SLOT && slot != c->slot)
			return;
		loop_does(c->env->loop, "relaying");
		conn_relay_event(c, slot == CONN_CLIENT_SLOT ? CLIENT : TARGET, events);
		return;
	case CONN_KERNEL: /* its sockets say nothing any more */
	case CONN_CLOSED:
		return;
	}
}

/* Who it is from, how it got here, and the loop's slot for it; then its targets are dialled. */
static void begin(struct conn *c, const struct accepted *client, uint64_t expected_slot,
		  const struct announced *said, bool watched)
{
	struct loop *l = c->env->loop;
	int fd = client->fd, err;

	c->hops = client->hops;
	conn_note_port(c, client->port);
	c->io.event = on_conn_event;
	/* Either way what the socket has to tell is told again. */
	err = watched ? loop_move(l, fd, &c->io, CONN_CLIENT_SLOT, IO_STREAM)
		      : loop_add(l, fd, &c->io, CONN_CLIENT_SLOT, IO_STREAM);
	if (err < 0) {
		conn_close(c, END_LOCAL);
		return;
	}
	conn_walk_begin(c, expected_slot, peer_of(client, said), said ? said->len : 0);
}

void conn_begin(struct conn_env *env, struct service *service, const struct accepted *client,
		uint64_t expected_slot, const struct announced *said, bool watched)
{
	struct conn *c = conn_open(env, service, client->fd);

	if (c)
		begin(c, client, expected_slot, said, watched);
}

void conn_new(struct conn_env *env, struct service *service, const struct accepted *client,
	      uint64_t expected_slot)
{
	conn_begin(env, service, client, expected_slot, NULL, false);
}

void conn_routed(struct conn_env *env, struct service *service, const struct routed *client)
{
	struct conn *c = conn_open(env, service, client->from.fd);

	if (!c) {
		free(client->said);
		return;
	}
	c->match = client->match;
	if (client->said) {
		c->direction[CLIENT].left = client->said;
		c->direction[CLIENT].holds = HOLDS_LEFTOVER;
		admit_charge(&service->admission, ADMIT_IN, client->said->len, env->loop->now_ns);
	}
	if (service->rule->congestion_control)
		source_set_congestion(client->from.fd, service->rule->congestion_control);
	begin(c, &client->from, client->expected_slot, NULL, client->watched);
}
