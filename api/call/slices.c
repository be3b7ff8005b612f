// SPDX-License-Identifier: MIT
/* Work in slices between the loop's other events. */
#include "api/call/slices.h"

#include <stdlib.h>

#include <event2/event.h>

#include "lib/base/clock.h"

struct slices {
	TAILQ_HEAD(, slice) queue;
	struct event *turn;
};

/* By a timer: an event that activates itself would not let the loop look at its sockets. */
static void next_turn(struct slices *all)
{
	const struct timeval now = {0};

	if (!TAILQ_EMPTY(&all->queue))
		event_add(all->turn, &now);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct slices *all = arg;
	struct slice *s = TAILQ_FIRST(&all->queue);

	if (!s)
		return;
	TAILQ_REMOVE(&all->queue, s, entry);
	if (!s->step(s, clock_mono_ns() + SLICE_NS))
		TAILQ_INSERT_TAIL(&all->queue, s, entry);
	next_turn(all);
}

struct slices *slices_new(struct event_base *base)
{
	struct slices *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	TAILQ_INIT(&all->queue);
	all->turn = evtimer_new(base, on_turn, all);
	if (!all->turn) {
		free(all);
		return NULL;
	}
	return all;
}

void slices_free(struct slices *all)
{
	struct slice *s;

	if (!all)
		return;
	while ((s = TAILQ_FIRST(&all->queue))) {
		TAILQ_REMOVE(&all->queue, s, entry);
		s->drop(s);
	}
	event_free(all->turn);
	free(all);
}

void slices_run(struct slices *all, struct slice *s)
{
	if (s->step(s, clock_mono_ns() + SLICE_NS))
		return;
	TAILQ_INSERT_TAIL(&all->queue, s, entry);
	next_turn(all);
}
