/* SPDX-License-Identifier: MIT */
/* Timers as a binary heap: setting and clearing cost no system call, and most are cleared unfired. */
#ifndef PORTUNUS_EDGE_LOOP_TIMER_H
#define PORTUNUS_EDGE_LOOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/* A single shot, embedded in what it is about. All zero: not set. */
struct timer {
	uint64_t at_ns; /* clock_mono_ns() */
	void (*fire)(struct timer *t);
	uint32_t place; /* in the heap, from 1; 0 while not set */
};

/* A binary heap of set timers, the earliest first. Owned by one thread. All zero: empty. */
struct timer_heap {
	struct timer **heap; /* heap[1] is the earliest */
	uint32_t n, room;
};

/*
 * Sets or moves a timer. The heap grows by itself; without memory for that the timer stays unset
 * and -ENOMEM is returned.
 */
int timer_set(struct timer_heap *h, struct timer *t, uint64_t at_ns);
void timer_clear(struct timer_heap *h, struct timer *t);

static inline bool timer_is_set(const struct timer *t)
{
	return t->place != 0;
}

/* When the earliest is due, UINT64_MAX with none. */
static inline uint64_t timer_next(const struct timer_heap *h)
{
	return h->n ? h->heap[1]->at_ns : UINT64_MAX;
}

/* Takes out and fires all that are due at @now_ns. A timer is unset when it fires and may set itself
 * again; one that is then due again waits for the next call. */
void timer_fire_due(struct timer_heap *h, uint64_t now_ns);

void timer_heap_free(struct timer_heap *h);

#endif
