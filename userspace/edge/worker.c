// SPDX-License-Identifier: MIT
/* A worker: the thread that owns a share of the listening sockets and the connections from them. */
#include "edge/worker.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "edge/account.h"
#include "edge/listener.h"

/* The sweep looks at this many connections per turn, so that it never delays the others. */
#define SWEEP_SHARE 256

#define container(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static void sweep_some(struct work *work)
{
	struct worker *w = container(work, struct worker, sweep_on);

	if (conn_sweep(&w->conns, SWEEP_SHARE)) {
		loop_work(&w->loop, &w->sweep_on);
		return;
	}
	/* What a burst needed is given back. */
	pipe_pool_trim(&w->conns.relay.pool, 16);
	atomic_store_explicit(&w->pipes_refused, w->conns.relay.pool.refused, memory_order_relaxed);
}

static void sweep_due(struct timer *t)
{
	struct worker *w = container(t, struct worker, sweep);

	loop_work(&w->loop, &w->sweep_on);
	timer_set(&w->loop.timers, &w->sweep,
		  w->loop.now_ns + w->config.sweep_period_ms * NS_PER_MS);
}

static void *run(void *arg)
{
	struct worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "worker/%u", w->config.index);
	pthread_setname_np(pthread_self(), name);
	loop_run(&w->loop);
	return NULL;
}

int worker_start(struct worker *w, const struct worker_config *config)
{
	sigset_t all, before;
	struct rlimit lim;
	int err;

	memset(w, 0, sizeof(*w));
	w->config = *config;
	err = loop_init(&w->loop);
	if (err)
		return err;
	w->conns.loop = w->conns.upstream.loop = &w->loop;
	w->conns.account = w->conns.upstream.account = config->account;
	w->conns.upstream.resolver = config->resolver;
	w->conns.upstream.worker = config->index;
	w->conns.relay.no_splice = config->no_splice;
	w->conns.fast_syn = account_fast_syn(config->account);
	w->conns.sweep_limit_ms = config->sweep_limit_ms;
	err = conn_env_init(&w->conns);
	if (err)
		goto err_loop;
	getrlimit(RLIMIT_NOFILE, &lim);
	w->fd_pause_at = (unsigned)lim.rlim_cur - config->fd_reserve;
	w->sweep.fire = sweep_due;
	w->sweep_on.run = sweep_some;
	err = timer_set(&w->loop.timers, &w->sweep,
			w->loop.now_ns + config->sweep_period_ms * NS_PER_MS);
	if (err)
		goto err_conns;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		goto err_conns;
	return 0;

err_conns:
	conn_env_close(&w->conns);
err_loop:
	loop_close(&w->loop);
	return err;
}

struct stop {
	struct job job;
	struct worker *worker;
};

static bool any(const struct conn_view *v, const void *arg)
{
	return true;
}

static void stop(struct job *job)
{
	struct worker *w = container(job, struct stop, job)->worker;

	while (w->listeners)
		listener_close(w->listeners);
	conn_end_matching(&w->conns, END_DRAINED, any, NULL);
	upstream_abandon_all(&w->conns.upstream);
	loop_stop(&w->loop);
}

void worker_stop(struct worker *w)
{
	struct stop s = {.job.run = stop, .worker = w};

	worker_post(w, &s.job);
	pthread_join(w->thread, NULL);
	conn_env_close(&w->conns);
	loop_close(&w->loop);
}

struct barrier {
	struct job job;
	sem_t *sem;
};

static void arrive(struct job *job)
{
	sem_post(container(job, struct barrier, job)->sem);
}

void workers_barrier(struct worker *workers, unsigned n)
{
	struct barrier b[WORKERS_MAX];
	sem_t sem;

	sem_init(&sem, 0, 0);
	for (unsigned i = 0; i < n; i++) {
		b[i].job.run = arrive;
		b[i].sem = &sem;
		worker_post(&workers[i], &b[i].job);
	}
	for (unsigned i = 0; i < n; i++)
		while (sem_wait(&sem) < 0 && errno == EINTR)
			;
	sem_destroy(&sem);
}
