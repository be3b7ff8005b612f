/* SPDX-License-Identifier: MIT */
/* What is remembered of the single addresses of one target: which of them did not work. */
#ifndef PORTUNUS_EDGE_TARGET_MEMORY_H
#define PORTUNUS_EDGE_TARGET_MEMORY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "edge/resolve/addrs.h"

#define MEMORY_MAX	  32
#define MEMORY_SECS	  60  /* after its first failure an address comes last for so long … */
#define MEMORY_SECS_MAX	  600 /* … which doubles up to this with each further one */
#define MEMORY_TRIAL_SECS 10  /* so long nobody else tries one that is being tried again */

struct memory_mark;

/*
 * Which addresses of a target's name did not work lately. All zero: none, and it costs nothing.
 * Embedded in its target. Any thread. Times are CLOCK_MONOTONIC nanoseconds.
 */
struct memory {
	atomic_uint n; /* marks; written under the lock */
	pthread_mutex_t lock;
	struct memory_mark *marks;
};

void memory_init(struct memory *m);
void memory_close(struct memory *m);

/* A connect to @a failed, or was overtaken by a later one. Ports are left aside. */
void memory_failed(struct memory *m, const union addr *a, uint64_t now);
/* A connect to @a succeeded: forgets its failures. */
void memory_worked(struct memory *m, const union addr *a);

/*
 * Orders @addrs: those that failed come last, the longest ago first; all others as they were. An
 * address whose time is over stands where it was, for one caller: returns a bit for each of these, so
 * that the next address is tried beside it at once and a dead one costs nothing.
 */
uint32_t memory_arrange(struct memory *m, struct resolve_addrs *addrs, uint64_t now);

#endif
