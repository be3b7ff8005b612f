/* SPDX-License-Identifier: MIT */
/* Pipes for splice(2): an idle connection holds none, a busy direction borrows one. */
#ifndef PORTUNUS_EDGE_RELAY_PIPE_H
#define PORTUNUS_EDGE_RELAY_PIPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Measured: 64 KiB -> 256 KiB is 34 -> 53 Gb/s through one splice pair; 512 KiB is no faster, but takes
 * a sixth less CPU for each byte. A pipe below PIPE_LEAST loses to copying. */
#define PIPE_BYTES (512 * 1024)
#define PIPE_LEAST (64 * 1024)

/* A kernel pipe, lent to one direction while that holds data in it. */
struct pipe {
	SLIST_ENTRY(pipe) entry; /* in the pool */
	uint32_t held;		 /* bytes in it */
	uint32_t size;
	int rd, wr;
};

/* Empty pipes of one worker. All zero: empty, and nothing refused so far. */
struct pipe_pool {
	SLIST_HEAD(, pipe) idle;
	unsigned n_idle, n_lent;
	uint64_t refused;     /* times no pipe of PIPE_LEAST could be had */
	uint64_t retry_at_ns; /* after a refusal, not asked for again before */
};

/*
 * Lends an empty pipe of PIPE_BYTES, or of what the kernel's limits leave (p->size). NULL when that is
 * less than PIPE_LEAST, or without descriptors: the caller copies instead, and for a second nobody
 * asks again.
 */
struct pipe *pipe_get(struct pipe_pool *pool, uint64_t now_ns);

/* Takes a pipe back. The invariant: a pipe that still holds data is closed, never pooled. */
void pipe_put(struct pipe_pool *pool, struct pipe *p);

/* Closes idle pipes beyond @keep. */
void pipe_pool_trim(struct pipe_pool *pool, unsigned keep);

#endif
