// SPDX-License-Identifier: MIT
/* When which target is checked; the check itself is a dial on a worker. */
#include "edge/watch/probe.h"

#include <errno.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/conn/proxy_header.h"
#include "edge/flow/check.h"
#include "edge/rules/table.h"
#include "edge/target/health.h"
#include "edge/target/talk.h"
#include "edge/target/source.h"
#include "edge/worker/worker.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"

struct prober {
	struct event_base *base;
	struct worker *workers;
	unsigned n_workers, next_worker;
	struct timer_heap timers;
	struct event *alarm; /* at the earliest of them */
	struct mailbox done; /* from the workers */
	struct event *mail;
	struct ssl_ctx_st *tls; /* once a rule's checks speak it */
	LIST_HEAD(, probe) all;
	unsigned round; /* of prober_sync() */
	uint32_t spread;
};

/* One target under watch. */
struct probe {
	LIST_ENTRY(probe) entry;
	struct prober *prober;
	struct target *target;
	struct source *source;	    /* where its checks go out from; may be NULL */
	struct talk_script *script; /* NULL: a connect is the whole check */
	struct timer timer;
	uint32_t interval_secs, timeout_ms, spread;
	uint16_t check_port; /* of a TCP connect; 0: the target's own, by its own protocol */
	uint8_t proxy;	     /* enum rule_proxy: the header that checks send */
	unsigned round;
	bool prefer_ipv6;
};

/* A check under way. Belongs to the worker until it is posted back. */
struct check {
	struct job job;
	struct prober *prober;
	struct worker *worker;
	struct target *target;
	struct source *source;
	struct talk_script *script;
	struct ssl_ctx_st *tls;
	uint64_t deadline_ns;
	uint32_t timeout_ms;
	uint16_t check_port;
	uint8_t proxy;
	bool prefer_ipv6;
};

static void check_free(struct check *c)
{
	target_unref(c->target);
	source_unref(c->source);
	talk_tls_unref(c->tls);
	free(c->script);
	free(c);
}

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
	check_free(c);
}

static void report_back(struct check *c)
{
	c->job.run = on_checked;
	mailbox_post(&c->prober->done, &c->job);
}

/*
 * A target that insists on a header gets one that names nobody, else it would log an error for each
 * check. 0, or a negative errno where it did not take that.
 */
static int introduce(const struct check *c, int fd)
{
	static const union addr nobody;
	uint8_t header[PROXY_HEADER_MAX];
	size_t len = proxy_header(c->proxy, &nobody, &nobody, NULL, header);

	return !len || send(fd, header, len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ? 0 : -errno;
}

static void on_talked(void *arg, int result)
{
	struct check *c = arg;

	/* What is negative is this host's trouble. */
	if (result >= 0)
		target_report(c->target, result);
	report_back(c);
}

/* @fd is connected. Where there is neither a header nor a talk the dial has told the health already. */
static void go_on(struct check *c, int fd)
{
	const struct talk_want want = {
		.fd = fd,
		.script = c->script,
		.tls = c->tls,
		.host = c->target->host,
		.deadline_ns = c->deadline_ns,
		.done = on_talked,
		.arg = c,
	};
	int err = introduce(c, fd);

	if (!err && c->script) {
		if (talk_start(&c->worker->talks, &want) < 0)
			report_back(c);
		return;
	}
	if (c->proxy != RULE_PROXY_NONE && !dial_is_ours(-err))
		target_report(c->target, -err);
	close(fd);
	report_back(c);
}

static void on_dialled(struct dial *d, int result)
{
	struct check *c = dial_arg(d);

	if (result >= 0)
		go_on(c, result);
	else
		report_back(c);
}

/* The check has told the target's health already. */
static void on_datagrams_checked(void *arg)
{
	report_back(arg);
}

/* On the worker's thread. */
static void run_check(struct job *job)
{
	struct check *c = (struct check *)job;
	struct dial_want want = {
		.target = c->target,
		.source = c->source,
		.port = c->check_port,
		.timeout_ms = c->timeout_ms,
		.prefer_ipv6 = c->prefer_ipv6,
		.probe = true,
		.own_verdict = c->script || c->proxy != RULE_PROXY_NONE,
		.done = on_dialled,
		.arg = c,
	};
	int result;

	c->deadline_ns = c->worker->loop.now_ns + c->timeout_ms * NS_PER_MS;
	if (c->target->udp && !c->check_port) {
		const struct flow_check_want datagram = {.target = c->target,
							 .source = c->source,
							 .script = c->script,
							 .timeout_ms = c->timeout_ms,
							 .prefer_ipv6 = c->prefer_ipv6};

		if (flow_check(&c->worker->flows, &datagram, on_datagrams_checked, c) < 0)
			report_back(c);
		return;
	}
	if (dial_start(&c->worker->conns.dials, &want, &result))
		return;
	if (result >= 0)
		go_on(c, result);
	else
		report_back(c);
}

/* 0 or -ENOMEM. */
static int take_script(struct check *c, const struct probe *probe)
{
	if (!probe->script)
		return 0;
	c->script = malloc(sizeof(*c->script));
	if (!c->script)
		return -ENOMEM;
	*c->script = *probe->script;
	if (c->script->tls)
		c->tls = talk_tls_ref(probe->prober->tls);
	return 0;
}

static void on_due(struct timer *timer)
{
	struct probe *probe = container_of(timer, struct probe, timer);
	struct prober *p = probe->prober;
	struct check *c;

	/* Never two in flight for one target; on_checked() goes on. */
	if (atomic_exchange(&probe->target->probing, true))
		return;
	c = calloc(1, sizeof(*c));
	if (!c || take_script(c, probe)) {
		free(c);
		atomic_store(&probe->target->probing, false);
		timer_set(&p->timers, timer, clock_mono_ns() + NS_PER_SEC);
		return;
	}
	c->job.run = run_check;
	c->prober = p;
	c->worker = &p->workers[p->next_worker++ % p->n_workers];
	c->target = target_ref(probe->target);
	c->source = source_ref(probe->source);
	c->timeout_ms = probe->timeout_ms;
	c->check_port = probe->check_port;
	c->proxy = probe->proxy;
	c->prefer_ipv6 = probe->prefer_ipv6;
	worker_post(c->worker, &c->job);
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
	p->mail = mailbox_watch(&p->done, base);
	if (!p->alarm || !p->mail)
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
	LIST_REMOVE(probe, entry);
	probe->target->probe = NULL;
	target_unref(probe->target);
	source_unref(probe->source);
	free(probe->script);
	free(probe);
}

void prober_free(struct prober *p)
{
	while (!LIST_EMPTY(&p->all))
		let_go(LIST_FIRST(&p->all));
	event_free(p->alarm);
	event_free(p->mail);
	mailbox_close(&p->done);
	timer_heap_free(&p->timers);
	talk_tls_unref(p->tls);
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
	LIST_INSERT_HEAD(&p->all, probe, entry);
	t->probe = probe;
	return probe;
}

/* What the checks of @probe say from now on. Without memory they say what they said. */
static void set_script(struct probe *probe, const struct rule *r)
{
	struct prober *p = probe->prober;

	if (!rule_talks(r)) {
		free(probe->script);
		probe->script = NULL;
		return;
	}
	if (!probe->script)
		probe->script = malloc(sizeof(*probe->script));
	if (probe->script)
		talk_script_of(r, probe->script);
	if (r->talk.tls && !p->tls)
		p->tls = talk_tls_new();
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
		source_unref(probe->source);
		probe->source = source_ref(s->source);
		probe->interval_secs = interval;
		probe->timeout_ms = r->fields & RULE_HAS_CONNECT_TIMEOUT ? r->connect_timeout_ms
									 : RULE_CONNECT_TIMEOUT_MS;
		probe->check_port = rule_check_port(r, &r->targets[i]);
		/* Another port is another service, and not the one that wants a header. */
		probe->proxy = r->health_check_proxy && !probe->check_port ? r->targets[i].proxy
									   : RULE_PROXY_NONE;
		probe->prefer_ipv6 = r->prefer_ipv6;
		set_script(probe, r);
		if (news) {
			timer_clear(&p->timers, &probe->timer);
			reschedule(probe);
		}
	}
}

void prober_sync(struct prober *p, struct rule_table *e)
{
	struct probe *probe, *next;

	p->round++;
	rule_table_each(e, sync_rule, p);
	for (probe = LIST_FIRST(&p->all); probe; probe = next) {
		next = LIST_NEXT(probe, entry);
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
	uint64_t now = clock_mono_ns();
	struct probe *probe;

	LIST_FOREACH (probe, &p->all, entry) {
		if (health_recheck_now(&probe->target->health, now))
			reschedule(probe);
	}
	set_alarm(p);
}
