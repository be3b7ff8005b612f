// SPDX-License-Identifier: MIT
/* Timers as a binary heap: setting and clearing cost no system call, and most are cleared unfired. */
#include "edge/loop/timer.h"

#include <errno.h>
#include <stdlib.h>

static void place(struct timer_heap *h, uint32_t i, struct timer *t)
{
	h->heap[i] = t;
	t->place = i;
}

static void sift_up(struct timer_heap *h, uint32_t i, struct timer *t)
{
	while (i > 1 && t->at_ns < h->heap[i / 2]->at_ns) {
		place(h, i, h->heap[i / 2]);
		i /= 2;
	}
	place(h, i, t);
}

static void sift_down(struct timer_heap *h, uint32_t i, struct timer *t)
{
	uint32_t child;

	while ((child = 2 * i) <= h->n) {
		if (child < h->n && h->heap[child + 1]->at_ns < h->heap[child]->at_ns)
			child++;
		if (t->at_ns <= h->heap[child]->at_ns)
			break;
		place(h, i, h->heap[child]);
		i = child;
	}
	place(h, i, t);
}

int timer_set(struct timer_heap *h, struct timer *t, uint64_t at_ns)
{
	uint64_t before = t->at_ns;

	t->at_ns = at_ns;
	if (t->place) {
		if (at_ns < before)
			sift_up(h, t->place, t);
		else
			sift_down(h, t->place, t);
		return 0;
	}
	if (h->n + 1 >= h->room) {
		uint32_t room = h->room ? h->room * 2 : 64;
		struct timer **heap = realloc(h->heap, room * sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		h->heap = heap;
		h->room = room;
	}
	sift_up(h, ++h->n, t);
	return 0;
}

void timer_clear(struct timer_heap *h, struct timer *t)
{
	uint32_t i = t->place;
	struct timer *last;

	if (!i)
		return;
	t->place = 0;
	last = h->heap[h->n--];
	if (last == t)
		return;
	if (i > 1 && last->at_ns < h->heap[i / 2]->at_ns)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

void timer_fire_due(struct timer_heap *h, uint64_t now_ns)
{
	/* As many as there are now: one that sets itself to the past cannot keep us here. */
	for (uint32_t most = h->n; most && timer_next(h) <= now_ns; most--) {
		struct timer *t = h->heap[1];

		timer_clear(h, t);
		t->fire(t);
	}
}

void timer_heap_free(struct timer_heap *h)
{
	free(h->heap);
	h->heap = NULL;
	h->n = h->room = 0;
}
