// SPDX-License-Identifier: MIT
/* A connection's life: what it holds from the accepted socket on, and its one exit. */
#include "edge/conn/core.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/target/path.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"

static void free_conn(struct deferred_free *deferred)
{
	struct conn *c = container_of(deferred, struct conn, deferred);

	slab_free(&c->env->conns, c);
}

static void log_closed(const struct conn *c, enum end_reason reason)
{
	char client[ADDR_TEXT_MAX];

	if (!log_enabled(LOG_DEBUG))
		return;
	log_event(LOG_DEBUG, "connection.closed", LOGF_UINT("rule", c->service->rule->id),
		  LOGF_UINT("port", c->listen_port),
		  LOGF_STR("client",
			   c->peer ? addr_text(&c->peer->client, client, sizeof(client)) : NULL),
		  LOGF_STR("target", c->target ? c->target->host : NULL),
		  LOGF_UINT("target_port", c->target ? c->target->port : 0),
		  LOGF_UINT("bytes_in", c->direction[CLIENT].bytes),
		  LOGF_UINT("bytes_out", c->direction[TARGET].bytes),
		  LOGF_UINT("age_ms", conn_now_ms(c->env) - c->started_ms),
		  LOGF_STR("reason", end_reason_text(reason)));
}

void close_with_rst(int fd)
{
	static const struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

void conn_refuse(struct conn_env *env, const struct service *service, int fd,
		 enum end_reason reason)
{
	struct totals_cell *totals = totals_cell(service->totals, env->dials.worker);

	close_with_rst(fd);
	cell_add(&totals->accepted, 1);
	cell_add(&totals->ended[reason], 1);
}

static void begin(struct conn *c, struct conn_env *env, struct service *service)
{
	c->env = env;
	c->service = service_ref(service);
	c->active_ms = conn_now_ms(env);
	LIST_INSERT_HEAD(&env->all, c, entry);
	atomic_fetch_add_explicit(&env->n, 1, memory_order_relaxed);
	cell_add(&totals_cell(service->totals, env->dials.worker)->active, 1);
}

void conn_note_port(struct conn *c, uint16_t port)
{
	struct port_cell *cell;

	if (port)
		c->listen_port = port;
	cell = conn_port_cell(c);
	if (!cell)
		return;
	cell_add(&cell->active, 1);
	c->by_port = true;
}

struct conn *conn_open(struct conn_env *env, struct service *service, int fd)
{
	struct totals_cell *totals = totals_cell(service->totals, env->dials.worker);
	struct conn *c;

	/* It has waited for its header, or for its turn, until after the rule's end. */
	if (atomic_load(&service->totals->over)) {
		conn_refuse(env, service, fd, END_DRAINED);
		return NULL;
	}
	if (!admit_enter(&service->admission, env->dials.worker, false, env->loop->now_ns)) {
		conn_refuse(env, service, fd, END_LIMITED);
		return NULL;
	}
	c = slab_alloc(&env->conns);
	if (!c) {
		admit_take_back(&service->admission, env->dials.worker);
		conn_refuse(env, service, fd, END_LOCAL);
		return NULL;
	}
	cell_add(&totals->accepted, 1);
	begin(c, env, service);
	c->listen_port = service->rule->listen_port;
	c->fd[CLIENT] = fd;
	c->fd[TARGET] = -1;
	c->direction[TARGET].flags = DIR_WRITABLE;
	c->path = PATH_ASKED;
	c->started_ms = conn_now_ms(env);
	return c;
}

struct conn *conn_adopt(struct conn_env *env, struct service *service, struct target *target,
			const int fd[2], uint32_t started_ms)
{
	struct conn *c = slab_alloc(&env->conns);

	if (!c)
		return NULL;
	admit_adopt(&service->admission, env->dials.worker);
	begin(c, env, service);
	c->target = target_ref(target);
	c->fd[CLIENT] = fd[CLIENT];
	c->fd[TARGET] = fd[TARGET];
	c->state = CONN_KERNEL;
	c->path = PATH_KERNEL;
	c->started_ms = started_ms;
	cell_add(&conn_target_cell(c)->active, 1);
	return c;
}

static void unlink_conn(struct conn *c)
{
	struct conn_env *env = c->env;
	struct conn_cursor *cursor;

	LIST_FOREACH (cursor, &env->cursors, entry)
		if (cursor->next == c)
			cursor->next = LIST_NEXT(c, entry);
	LIST_REMOVE(c, entry);
	atomic_fetch_sub_explicit(&env->n, 1, memory_order_relaxed);
}

void conn_close(struct conn *c, enum end_reason reason)
{
	struct conn_env *env = c->env;
	struct totals_cell *totals = conn_totals(c);

	if (c->state != CONN_DIALLING)
		permit_free(c->permit);
	else if (c->end)
		c->end(c, reason);
	if (c->kernel_slot)
		env->kernel->ended(env->kernel, c);
	log_closed(c, reason);
	free(c->peer);
	c->state = CONN_CLOSED;
	timer_clear(&env->loop->timers, &c->timer);
	loop_work_cancel(env->loop, &c->work);
	relay_drop(&env->relay, &c->direction[CLIENT]);
	relay_drop(&env->relay, &c->direction[TARGET]);
	for (int leg = CLIENT; leg <= TARGET; leg++) {
		if (c->fd[leg] < 0)
			continue;
		if (reason == END_CLOSED)
			close(c->fd[leg]);
		else
			close_with_rst(c->fd[leg]);
	}
	unlink_conn(c);
	if (c->by_port)
		cell_add(&conn_port_cell(c)->active, -1ull);
	cell_add(&totals->active, -1ull);
	cell_add(&totals->ended[reason], 1);
	if (c->target && rule_relay_wanted(c->service->rule) && c->path != PATH_KERNEL)
		cell_add(&totals->kept[c->path], 1);
	if (c->target) {
		cell_add(&conn_target_cell(c)->active, -1ull);
		target_unref(c->target);
	}
	admit_leave(&c->service->admission, env->dials.worker);
	service_unref(c->service);
	loop_defer_free(env->loop, &c->deferred, free_conn);
}
