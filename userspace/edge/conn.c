// SPDX-License-Identifier: MIT
/* One client's connection, from accept to its one exit, and which part an event concerns. */
#include "edge/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/conn_private.h"
#include "lib/addr.h"
#include "lib/log.h"

#define CLIENT_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

int conn_env_init(struct conn_env *env)
{
	upstream_env_init(&env->upstream);
	slab_init(&env->conns, sizeof(struct conn));
	slab_init(&env->dials, sizeof(struct dial));
	env->relay.buf = malloc(RELAY_COPY_BYTES);
	return env->relay.buf ? 0 : -ENOMEM;
}

void conn_env_close(struct conn_env *env)
{
	pipe_pool_trim(&env->relay.pool, 0);
	slab_close(&env->conns);
	slab_close(&env->dials);
	upstream_env_close(&env->upstream);
	free(env->relay.buf);
}

static void bury_conn(struct corpse *corpse)
{
	struct conn *c = container(corpse, struct conn, corpse);

	slab_free(&c->env->conns, c);
}

/* Asked for while the client is there: a socket that was reset no longer knows its peer. */
static char *peer_text(int fd)
{
	union addr peer;
	socklen_t len = sizeof(peer);
	char text[ADDR_TEXT_MAX];

	if (!log_enabled(LOG_DEBUG) || getpeername(fd, &peer.sa, &len) < 0)
		return NULL;
	return strdup(addr_text(&peer, text, sizeof(text)));
}

static void log_closed(const struct conn *c, enum end_reason reason)
{
	log_event(LOG_DEBUG, "connection.closed", LOGF_UINT("rule", c->service->rule->id),
		  LOGF_STR("client", c->peer),
		  LOGF_STR("target", c->target ? c->target->host : NULL),
		  LOGF_UINT("target_port", c->target ? c->target->port : 0),
		  LOGF_UINT("bytes_in", c->half[CLIENT].bytes),
		  LOGF_UINT("bytes_out", c->half[TARGET].bytes),
		  LOGF_UINT("age_ms", conn_now_ms(c->env) - c->started_ms),
		  LOGF_STR("reason", end_reason_text(reason)));
}

/* RFC 9293 3.10.4 and socket(7): SO_LINGER with zero time makes close() send a RST. */
static void close_with_rst(int fd)
{
	static const struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

void conn_close(struct conn *c, enum end_reason reason)
{
	struct conn_env *env = c->env;
	struct rule_totals *totals = c->service->totals;

	if (c->state == CONN_DIALLING)
		conn_walk_end(c, reason == END_CLIENT_GONE);
	log_closed(c, reason);
	free(c->peer);
	c->state = CONN_CLOSED;
	timer_clear(&env->loop->timers, &c->timer);
	loop_work_cancel(env->loop, &c->work);
	relay_drop(&env->relay, &c->half[CLIENT]);
	relay_drop(&env->relay, &c->half[TARGET]);
	for (int leg = CLIENT; leg <= TARGET; leg++) {
		if (c->fd[leg] < 0)
			continue;
		if (reason == END_CLOSED)
			close(c->fd[leg]);
		else
			close_with_rst(c->fd[leg]);
	}
	if (env->sweep_next == c)
		env->sweep_next = c->next;
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	atomic_fetch_sub_explicit(&env->n, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&totals->active, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&totals->ended[reason], 1, memory_order_relaxed);
	if (c->target) {
		atomic_fetch_sub_explicit(&c->target->active, 1, memory_order_relaxed);
		target_unref(c->target);
	}
	service_unref(c->service);
	loop_bury(env->loop, &c->corpse, bury_conn);
}

static void on_conn_event(struct io *io, unsigned slot, uint32_t events)
{
	struct conn *c = (struct conn *)io;

	switch ((enum conn_state)c->state) {
	case CONN_DIALLING:
		if (slot != CONN_CLIENT_SLOT) {
			conn_walk_event(c, slot, events);
			return;
		}
		/* RDHUP alone is a legitimate half-close: a request, then FIN. */
		conn_note_events(c, CLIENT, events);
		if (events & (EPOLLERR | EPOLLHUP))
			conn_close(c, END_CLIENT_GONE);
		return;
	case CONN_RELAYING:
	case CONN_ABORTING:
		if (slot != CONN_CLIENT_SLOT && slot != c->slot)
			return;
		conn_relay_event(c, slot == CONN_CLIENT_SLOT ? CLIENT : TARGET, events);
		return;
	case CONN_CLOSED:
		return;
	}
}

void conn_new(struct conn_env *env, struct service *service, int fd, uint64_t expected_slot)
{
	struct conn *c = slab_alloc(&env->conns);
	struct dial *d = slab_alloc(&env->dials);

	atomic_fetch_add_explicit(&service->totals->accepted, 1, memory_order_relaxed);
	if (!c || !d || loop_add(env->loop, fd, &c->io, CONN_CLIENT_SLOT, CLIENT_EVENTS) < 0) {
		atomic_fetch_add(&service->totals->ended[END_LOCAL], 1);
		if (c)
			slab_free(&env->conns, c);
		if (d)
			slab_free(&env->dials, d);
		close_with_rst(fd);
		return;
	}
	c->io.event = on_conn_event;
	c->env = env;
	c->service = service_ref(service);
	c->work.run = conn_on_work;
	c->timer.fire = conn_on_timer;
	c->fd[CLIENT] = fd;
	c->fd[TARGET] = -1;
	c->half[TARGET].flags = HALF_WRITABLE;
	c->started_ms = c->active_ms = conn_now_ms(env);
	c->next = env->head;
	c->prev = &env->head;
	if (c->next)
		c->next->prev = &c->next;
	env->head = c;
	atomic_fetch_add_explicit(&env->n, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&service->totals->active, 1, memory_order_relaxed);

	c->dial = d;
	d->expected_slot = expected_slot;
	d->peer = peer_text(fd);
	conn_walk_begin(c);
}
