// SPDX-License-Identifier: MIT
/* A worker: the thread that owns a share of the listening sockets and the connections from them. */
#include "edge/worker/worker.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bpf/account.h"
#include "bpf/select.h"
#include "edge/account/account.h"
#include "edge/conn/accept.h"
#include "edge/conn/intake.h"
#include "edge/conn/list.h"
#include "edge/conn/peek.h"
#include "edge/conn/sweep.h"
#include "edge/kernelrelay/kernelrelay.h"
#include "edge/worker/backlog.h"
#include "edge/worker/listener.h"
#include "edge/flow/check.h"
#include "edge/flow/port.h"
#include "lib/base/container_of.h"

/* The sweep looks at this many connections per turn, so that it never delays the others. */
#define SWEEP_SHARE 256
/* One that has not been seen for longer than this is asleep for good. */
#define BEAT_MS 1000

_Static_assert(WORKERS_MAX <= SELECT_WORKERS_MAX && WORKERS_MAX <= ACCOUNT_WORKERS_MAX,
	       "the programs have a cell for each worker");

static void sweep_some(struct work *work)
{
	struct worker *w = container_of(work, struct worker, sweep_on);

	loop_does(&w->loop, "sweeping connections");
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
	struct worker *w = container_of(t, struct worker, sweep);
	uint64_t late_ms = (w->loop.now_ns - t->at_ns) / NS_PER_MS;

	w->conns.sweep_late_ms = late_ms < w->config.sweep_period_ms ? 0 : (uint32_t)late_ms;
	loop_work(&w->loop, &w->sweep_on);
	timer_set(&w->loop.timers, &w->sweep,
		  w->loop.now_ns + w->config.sweep_period_ms * NS_PER_MS);
}

/* The loop's; what it says reaches the selector. */
static void on_turn(void *arg, int events)
{
	struct worker *w = arg;
	unsigned open = atomic_load_explicit(&w->conns.n, memory_order_relaxed);

	if (events < 0)
		selector_sleep(w->cell, open);
	else
		selector_turn(w->cell, w->loop.now_ns, (unsigned)events + w->loop.n_work, open);
}

static void *run(void *arg)
{
	struct worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "worker/%u", w->config.index);
	pthread_setname_np(pthread_self(), name);
	atomic_store(&w->tid, gettid());
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
	w->conns.loop = w->conns.dials.loop = &w->loop;
	w->conns.account = w->conns.dials.account = config->account;
	w->conns.dials.resolver = config->resolver;
	w->conns.dials.worker = config->index;
	w->conns.relay.no_splice = config->no_splice;
	w->conns.fast_syn = account_fast_syn(config->account);
	w->conns.sweep_limit_ms = config->sweep_limit_ms;
	w->conns.no_sni_alert = config->no_sni_alert;
	err = conn_env_init(&w->conns);
	if (err)
		goto err_loop;
	conn_peeks_init(&w->conns);
	if (config->kernel) {
		w->kernel = relay_share_new(config->kernel, &w->conns, config->index);
		err = w->kernel ? 0 : -ENOMEM;
		if (err)
			goto err_conns;
	}
	getrlimit(RLIMIT_NOFILE, &lim);
	w->listening.fd_pause_at = w->flows.fd_limit = (unsigned)lim.rlim_cur - config->fd_reserve;
	w->flows.loop = w->talks.loop = &w->loop;
	w->flows.worker = config->index;
	w->flows.resolver = config->resolver;
	w->flows.limits = config->flow_limits;
	w->flows.hops = config->flow_hops;
	flow_env_init(&w->flows);
	w->listening.loop = &w->loop;
	w->listening.conns = &w->conns;
	w->listening.hops = w->conns.dials.hops = config->hops;
	w->listening.worker = config->index;
	w->cell = selector_cell(config->selector, config->index);
	if (w->cell) {
		w->loop.on_turn = on_turn;
		w->loop.on_turn_arg = w;
		w->loop.wait_max_ms = BEAT_MS;
		on_turn(w, 0);
	}
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
	struct worker *w = container_of(job, struct stop, job)->worker;

	while (!LIST_EMPTY(&w->listening.all))
		listener_close(LIST_FIRST(&w->listening.all));
	backlog_drop_all(&w->listening);
	peek_end_all(&w->conns);
	talk_abandon_all(&w->talks);
	intake_end_all(&w->conns);
	flow_checks_abandon(&w->flows);
	while (!LIST_EMPTY(&w->flows.ports))
		flow_port_close(LIST_FIRST(&w->flows.ports));
	conn_end_matching(&w->conns, END_DRAINED, any, NULL);
	dial_abandon_all(&w->conns.dials);
	loop_stop(&w->loop);
}

void worker_stop(struct worker *w)
{
	struct stop s = {.job.run = stop, .worker = w};

	worker_post(w, &s.job);
	pthread_join(w->thread, NULL);
	conn_peeks_close(&w->conns);
	conn_env_close(&w->conns);
	relay_share_free(w->kernel);
	flow_env_close(&w->flows);
	loop_close(&w->loop);
}

struct barrier {
	struct job job;
	sem_t *sem;
};

static void arrive(struct job *job)
{
	sem_post(container_of(job, struct barrier, job)->sem);
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
