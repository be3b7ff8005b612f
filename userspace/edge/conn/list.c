// SPDX-License-Identifier: MIT
/* Connections seen from outside: shown, and ended on request. */
#include "edge/conn/list.h"

#include "edge/conn/core.h"
#include "edge/conn/walk.h"

static struct conn_view view(const struct conn *c)
{
	const struct conn_peer *peer = conn_peer_of(c);
	struct conn_view v = {
		.service = c->service,
		.target = c->target,
		.row = -1,
		.announced = peer && peer->announced ? &peer->client : NULL,
		.client_fd = c->fd[CLIENT],
		.target_fd = c->fd[TARGET],
		.listen_port = c->listen_port,
		.age_ms = conn_now_ms(c->env) - c->started_ms,
		.bytes_in = c->direction[CLIENT].bytes,
		.bytes_out = c->direction[TARGET].bytes,
		.path = c->path,
	};

	if (c->state == CONN_KERNEL) {
		struct conn_figures f;

		c->env->kernel->figures(c->env->kernel, c, &f);
		v.kernel_in = f.bytes_in;
		v.kernel_out = f.bytes_out;
	}

	for (int row = 0; row < c->service->n; row++)
		if (c->service->target[row] == c->target)
			v.row = row;
	return v;
}

unsigned conn_end_matching(struct conn_env *env, enum end_reason reason,
			   bool (*match)(const struct conn_view *v, const void *arg),
			   const void *arg)
{
	struct conn *c, *next;
	unsigned n = 0;

	loop_does(env->loop, "ending connections");

	for (c = LIST_FIRST(&env->all); c; c = next) {
		struct conn_view v = view(c);

		next = LIST_NEXT(c, entry);
		if (match(&v, arg)) {
			conn_close(c, reason);
			n++;
		}
	}
	return n;
}

void conn_visit_begin(struct conn_env *env, struct conn_cursor *cursor)
{
	cursor->next = LIST_FIRST(&env->all);
	LIST_INSERT_HEAD(&env->cursors, cursor, entry);
}

bool conn_visit(struct conn_env *env, struct conn_cursor *cursor, unsigned max,
		void (*visit)(const struct conn_view *v, void *arg), void *arg)
{
	for (; cursor->next && max; max--) {
		struct conn *c = cursor->next;
		struct conn_view v = view(c);

		cursor->next = LIST_NEXT(c, entry);
		visit(&v, arg);
	}
	if (!cursor->next)
		LIST_REMOVE(cursor, entry);
	return cursor->next;
}

void conn_visit_abandon(struct conn_cursor *cursor)
{
	LIST_REMOVE(cursor, entry);
}
