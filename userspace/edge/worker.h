/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_WORKER_H
#define PORTUNUS_EDGE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "edge/conn.h"
#include "edge/loop.h"

struct listener;

struct worker_config {
	unsigned index;
	struct account *account;
	struct resolver *resolver;
	uint32_t sweep_period_ms, sweep_limit_ms; /* of conn_sweep() */
	unsigned fd_reserve; /* accepting pauses when fewer fds than that are left */
	bool no_splice;
};

/*
 * One thread with its own loop, listening sockets and connections. All of it belongs to that thread
 * once worker_start() has returned; others reach it through worker_post().
 */
struct worker {
	struct loop loop;
	struct conn_env conns;
	struct worker_config config;
	struct listener *listeners;
	struct timer sweep;
	struct work sweep_on;
	unsigned fd_pause_at;	     /* accepted fds from here on pause accepting */
	atomic_ullong accept_pauses; /* read by others */
	atomic_ullong pipes_refused; /* as of the last sweep */
	pthread_t thread;
};

/* Starts the thread, with all signals blocked. 0 or -errno. */
int worker_start(struct worker *w, const struct worker_config *config);

static inline void worker_post(struct worker *w, struct job *job)
{
	loop_post(&w->loop, job);
}

/* Ends the thread after the jobs posted so far; open connections are cut (END_DRAINED). */
void worker_stop(struct worker *w);

/* Returns when every one of @n workers has run all that was posted before. Not on a worker. */
void workers_barrier(struct worker *workers, unsigned n);

#endif
