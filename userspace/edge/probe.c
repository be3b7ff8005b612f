// SPDX-License-Identifier: MIT
/* When which target is checked; the check itself is a dial on a worker. */
#include "edge/probe.h"

#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edge/apply.h"
#include "edge/health.h"
#include "edge/worker.h"
#include "lib/clock.h"

struct prober {
	struct event_base *base;
	struct worker *workers;
	unsigned n_workers, next_worker;
	struct timer_heap timers;
	struct event *alarm; /* at the earliest of them */
	struct mailbox done; /* from the workers */
	struct event *mail;
	struct probe *all;
	unsigned round; /* of prober_sync() */
	uint32_t spread;
};

/* One target under watch. */
struct probe {
	struct probe *next, **prev;
	struct prober *prober;
	struct target *target;
	struct timer timer;
	uint32_t interval_secs, timeout_ms, spread;
	unsigned round;
	bool prefer_ipv6;
};

/* A check under way. Belongs to the worker until it is posted back. */
struct check {
	struct job job;
	struct prober *prober;
	struct worker *worker;
	struct target *target;
	uint32_t timeout_ms;
	bool prefer_ipv6;
};

static void set_alarm(struct prober *p)
{
	uint64_t next = timer_next(&p->timers), now = clock_mono_ns(), us;
	struct timeval in;

	if (next == UINT64_MAX) {
		event_del(p->alarm);
		return;
	}
	us = next > now ? (next - now) / NS_PER_US + 1 : 0;
	in.tv_sec = (time_t)(us / 1000000);
	in.tv_usec = (suseconds_t)(us % 1000000);
	event_add(p->alarm, &in);
}

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
	struct prober *p = arg;

	timer_fire_due(&p->timers, clock_mono_ns());
	set_alarm(p);
}

/* A check has ended: time for the next decision. */
static void on_checked(struct job *job)
{
	struct check *c = (struct check *)job;
	struct probe *probe = c->target->probe;

	atomic_store(&c->target->probing, false);
	if (probe) {
		struct prober *p = probe->prober;
		uint64_t at = health_next_check(&c->target->health, probe->interval_secs,
						clock_mono_ns(), probe->spread);

		if (at)
			timer_set(&p->timers, &probe->timer, at);
		set_alarm(p);
	}
	target_unref(c->target);
	free(c);
}

static void report_back(struct check *c)
{
	c->job.run = on_checked;
	mailbox_post(&c->prober->done, &c->job);
}

/* The dial has told the target's health already. */
static void on_dialled(struct upstream *up, int result)
{
	if (result >= 0)
		close(result);
	report_back(upstream_arg(up));
}

/* On the worker's thread. */
static void run_check(struct job *job)
{
	struct check *c = (struct check *)job;
	struct upstream_want want = {
		.target = c->target,
		.timeout_ms = c->timeout_ms,
		.prefer_ipv6 = c->prefer_ipv6,
		.probe = true,
		.done = on_dialled,
		.arg = c,
	};
	int result;

	if (upstream_start(&c->worker->conns.upstream, &want, &result))
		return;
	if (result >= 0)
		close(result);
	report_back(c);
}

static void on_due(struct timer *timer)
{
	struct probe *probe = (struct probe *)((char *)timer - offsetof(struct probe, timer));
	struct prober *p = probe->prober;
	struct check *c;

	/* Never two in flight for one target; on_checked() goes on. */
	if (atomic_exchange(&probe->target->probing, true))
		return;
	c = calloc(1, sizeof(*c));
	if (!c) {
		atomic_store(&probe->target->probing, false);
		timer_set(&p->timers, timer, clock_mono_ns() + NS_PER_SEC);
		return;
	}
	c->job.run = run_check;
	c->prober = p;
	c->worker = &p->workers[p->next_worker++ % p->n_workers];
	c->target = target_ref(probe->target);
	c->timeout_ms = probe->timeout_ms;
	c->prefer_ipv6 = probe->prefer_ipv6;
	worker_post(c->worker, &c->job);
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	mailbox_run(arg);
}

struct prober *prober_new(struct event_base *base, struct worker *workers, unsigned n_workers)
{
	struct prober *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->base = base;
	p->workers = workers;
	p->n_workers = n_workers;
	if (mailbox_init(&p->done) < 0)
		goto err;
	p->alarm = event_new(base, -1, 0, on_alarm, p);
	p->mail = event_new(base, p->done.fd, EV_READ | EV_PERSIST, on_mail, &p->done);
	if (!p->alarm || !p->mail || event_add(p->mail, NULL) < 0)
		goto err_events;
	return p;

err_events:
	if (p->alarm)
		event_free(p->alarm);
	if (p->mail)
		event_free(p->mail);
	mailbox_close(&p->done);
err:
	free(p);
	return NULL;
}

static void let_go(struct probe *probe)
{
	timer_clear(&probe->prober->timers, &probe->timer);
	*probe->prev = probe->next;
	if (probe->next)
		probe->next->prev = probe->prev;
	probe->target->probe = NULL;
	target_unref(probe->target);
	free(probe);
}

void prober_free(struct prober *p)
{
	while (p->all)
		let_go(p->all);
	event_free(p->alarm);
	event_free(p->mail);
	mailbox_close(&p->done);
	timer_heap_free(&p->timers);
	free(p);
}

/*
 * Decides again after news. A timer that is armed already holds if it is earlier; with a check in
 * flight, its end decides.
 */
static void reschedule(struct probe *probe)
{
	struct prober *p = probe->prober;
	uint64_t at;

	if (atomic_load(&probe->target->probing))
		return;
	at = health_next_check(&probe->target->health, probe->interval_secs, clock_mono_ns(),
			       probe->spread);
	if (!at)
		timer_clear(&p->timers, &probe->timer);
	else if (!timer_is_set(&probe->timer) || at < probe->timer.at_ns)
		timer_set(&p->timers, &probe->timer, at);
}

static struct probe *take_up(struct prober *p, struct target *t)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	probe->prober = p;
	probe->target = target_ref(t);
	probe->timer.fire = on_due;
	probe->spread = p->spread++;
	probe->next = p->all;
	probe->prev = &p->all;
	if (probe->next)
		probe->next->prev = &probe->next;
	p->all = probe;
	t->probe = probe;
	return probe;
}

static void sync_rule(struct rule_state *rs, void *arg)
{
	const struct service *s = rs->service;
	const struct rule *r = s->rule;
	struct prober *p = arg;

	for (unsigned i = 0; s->monitored && i < s->n; i++) {
		struct probe *probe = s->target[i]->probe;
		uint32_t interval = r->fields & RULE_HAS_PROBE_INTERVAL ? r->probe_interval_secs
									: 0;
		bool news = !probe || probe->interval_secs != interval;

		if (!probe)
			probe = take_up(p, s->target[i]);
		if (!probe)
			continue;
		probe->round = p->round;
		probe->interval_secs = interval;
		probe->timeout_ms = r->fields & RULE_HAS_CONNECT_TIMEOUT ? r->connect_timeout_ms
									 : RULE_CONNECT_TIMEOUT_MS;
		probe->prefer_ipv6 = r->prefer_ipv6;
		if (news) {
			timer_clear(&p->timers, &probe->timer);
			reschedule(probe);
		}
	}
}

void prober_sync(struct prober *p, struct edge *e)
{
	struct probe *probe, *next;

	p->round++;
	edge_each(e, sync_rule, p);
	for (probe = p->all; probe; probe = next) {
		next = probe->next;
		if (probe->round != p->round)
			let_go(probe);
	}
	set_alarm(p);
}

void prober_health_changed(struct prober *p, struct target *t)
{
	if (t->probe) {
		reschedule(t->probe);
		set_alarm(p);
	}
}

void prober_network_changed(struct prober *p)
{
	for (struct probe *probe = p->all; probe; probe = probe->next)
		if (health_recheck_now(&probe->target->health))
			reschedule(probe);
	set_alarm(p);
}
