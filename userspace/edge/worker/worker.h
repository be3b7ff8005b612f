/* SPDX-License-Identifier: MIT */
/* A worker: the thread that owns a share of the listening sockets and the connections from them. */
#ifndef PORTUNUS_EDGE_WORKER_WORKER_H
#define PORTUNUS_EDGE_WORKER_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "edge/conn/core.h"
#include "edge/flow/flow.h"
#include "edge/loop/loop.h"
#include "edge/target/talk.h"
#include "edge/worker/accepting.h"
#include "edge/worker/select.h"

#define WORKERS_MAX 64

struct worker_config {
	unsigned index;
	struct account *account;
	struct resolver *resolver;
	struct hops *hops, *flow_hops; /* of all workers: TCP and UDP have ports of their own */
	const struct flow_limits *flow_limits;
	const atomic_bool *no_sni_alert;	  /* as struct conn_env has it */
	uint32_t sweep_period_ms, sweep_limit_ms; /* of conn_sweep() */
	unsigned fd_reserve; /* accepting pauses when fewer fds than that are left */
	bool no_splice;
	const struct selector *selector; /* may be NULL */
	struct kernel_relay *kernel;	 /* may be NULL */
};

/*
 * One thread with its own loop, listening sockets and connections. All of it belongs to that thread
 * once worker_start() has returned; others reach it through worker_post().
 */
struct worker {
	struct loop loop;
	struct conn_env conns;
	struct flow_env flows;
	struct talk_env talks; /* of health checks */
	struct worker_config config;
	struct listener_env listening;
	struct relay_share *kernel; /* its share of the kernel relay */
	struct select_worker *cell; /* what the selector is told; NULL: nothing */
	struct timer sweep;
	struct work sweep_on;
	atomic_ullong pipes_refused; /* as of the last sweep; read by others */
	atomic_ullong stalls;	     /* the watchdog's count; read by others */
	atomic_int tid;		     /* of the thread */
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
