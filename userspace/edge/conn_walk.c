// SPDX-License-Identifier: MIT
/* The walk over a rule's targets: who is dialled when, and who wins. */
#include "edge/account.h"
#include "edge/conn_private.h"
#include "lib/log.h"

/* Hedging (Documentation/failover.md): the delay's bounds, and where lost SYNs are only retried
 * after a second, a delay that outlasts one retry. */
#define HEDGE_MIN_NS  (300 * NS_PER_MS)
#define HEDGE_MAX_NS  (1000 * NS_PER_MS)
#define HEDGE_SLOW_NS (1200 * NS_PER_MS)

static void start_next(struct dial *d);

static uint64_t hedge_delay_ns(const struct conn *c, const struct target *t)
{
	const struct rule *r = c->service->rule;
	uint64_t delay;

	if (r->fields & RULE_HAS_HEDGE_DELAY)
		return r->hedge_delay_ms * NS_PER_MS;
	if (!c->env->fast_syn)
		return HEDGE_SLOW_NS;
	delay = 3 * atomic_load_explicit(&t->connect_us, memory_order_relaxed) * NS_PER_US;
	if (delay < HEDGE_MIN_NS)
		return HEDGE_MIN_NS;
	return delay > HEDGE_MAX_NS ? HEDGE_MAX_NS : delay;
}

static void count_hedge(const struct conn *c, const struct target *t)
{
	atomic_fetch_add_explicit(&c->service->totals->hedged, 1, memory_order_relaxed);
	log_event(LOG_DEBUG, "connection.hedged", LOGF_UINT("rule", c->service->rule->id),
		  LOGF_STR("target", t->host), LOGF_UINT("target_port", t->port));
}

static uint8_t pending_rows(const struct dial *d)
{
	uint8_t rows = 0;

	for (unsigned row = 0; row < RULE_TARGETS_MAX; row++)
		rows |= (uint8_t)((d->try[row] != NULL) << row);
	return rows;
}

/* A target is connected: its fd stays registered as it is, the other tries are left to themselves. */
static void won(struct conn *c, unsigned row, int fd, unsigned slot, uint32_t events)
{
	struct dial *d = c->dial;
	struct target *t = c->service->target[row];

	if (d->beside[row] & pending_rows(d))
		count_hedge(c, t);
	/* Before the client's socket is read from or written to: that settles whose bytes it has. */
	if (t->slot && t->slot != d->expected_slot &&
	    account_tag_client(c->env->account, c->fd[CLIENT], t->totals->rule_id, t->slot) < 0)
		atomic_fetch_add_explicit(&t->totals->untagged, 1, memory_order_relaxed);
	conn_walk_end(c, false);
	c->fd[TARGET] = fd;
	c->slot = (uint8_t)slot;
	c->target = target_ref(t);
	conn_relay_begin(c, events);
}

/* Whether this host alone is why no target could be dialled decides what the end is called. */
static void note_error(struct dial *d, int result)
{
	if (upstream_is_ours(-result))
		d->ours = true;
	else
		d->theirs = true;
}

static void on_dialled(struct upstream *up, int result)
{
	struct conn *c = upstream_arg(up);
	struct dial *d = c->dial;
	unsigned row = (upstream_slot(up) - 1) / RESOLVE_ADDRS_MAX;

	d->try[row] = NULL;
	d->pending--;
	if (result >= 0) {
		won(c, row, result, upstream_slot(up), upstream_events(up));
		return;
	}
	note_error(d, result);
	start_next(d);
}

/* When the next candidate is due beside those pending, or the walk ends. */
static void arm_dial(struct dial *d, const struct target *latest)
{
	struct conn *c = d->conn;
	uint64_t at = d->deadline_ns, delay = hedge_delay_ns(c, latest);

	if (delay && service_next(c->service, d->dialled) >= 0 && c->env->loop->now_ns + delay < at)
		at = c->env->loop->now_ns + delay;
	timer_set(&c->env->loop->timers, &d->timer, at);
}

/* Dials the next candidate. With none left and none pending the connection ends. */
static void start_next(struct dial *d)
{
	struct conn *c = d->conn;
	int row, result;

	while ((row = service_next(c->service, d->dialled)) >= 0) {
		struct upstream_want want = {
			.target = c->service->target[row],
			.timeout_ms = rule_connect_timeout_ms(c->service->rule),
			.prefer_ipv6 = c->service->rule->prefer_ipv6,
			.io = &c->io,
			.slot = 1 + (unsigned)row * RESOLVE_ADDRS_MAX,
			.done = on_dialled,
			.arg = c,
		};

		d->beside[row] = pending_rows(d);
		d->dialled |= (uint8_t)(1u << row);
		d->try[row] = upstream_start(&c->env->upstream, &want, &result);
		if (d->try[row]) {
			d->pending++;
			arm_dial(d, want.target);
			return;
		}
		note_error(d, result);
	}
	if (d->pending)
		timer_set(&c->env->loop->timers, &d->timer, d->deadline_ns);
	else
		conn_close(c, d->ours && !d->theirs ? END_LOCAL : END_NO_TARGET);
}

static void on_dial_timer(struct timer *timer)
{
	struct dial *d = container(timer, struct dial, timer);

	if (d->conn->env->loop->now_ns >= d->deadline_ns) {
		conn_close(d->conn, END_NO_TARGET);
		return;
	}
	start_next(d);
}

void conn_walk_begin(struct conn *c)
{
	struct conn_env *env = c->env;
	struct dial *d = c->dial;

	d->conn = c;
	d->timer.fire = on_dial_timer;
	d->deadline_ns = env->loop->now_ns + RULE_WALK_TIMEOUT_MS * NS_PER_MS;
	d->next = env->dialing;
	d->prev = &env->dialing;
	if (d->next)
		d->next->prev = &d->next;
	env->dialing = d;
	start_next(d);
}

void conn_walk_event(struct conn *c, unsigned slot, uint32_t events)
{
	unsigned i = slot - 1;
	struct upstream *up = c->dial->try[i / RESOLVE_ADDRS_MAX];

	if (up)
		upstream_event(up, i % RESOLVE_ADDRS_MAX, events);
}

void conn_walk_end(struct conn *c, bool abandon)
{
	struct dial *d = c->dial;

	for (unsigned row = 0; row < RULE_TARGETS_MAX; row++) {
		if (!d->try[row])
			continue;
		if (abandon)
			upstream_abandon(d->try[row]);
		else
			upstream_detach(d->try[row]);
	}
	timer_clear(&c->env->loop->timers, &d->timer);
	*d->prev = d->next;
	if (d->next)
		d->next->prev = d->prev;
	c->peer = d->peer;
	slab_free(&c->env->dials, d);
}

void conn_health_changed(struct conn_env *env)
{
	struct dial *d, *next;

	for (d = env->dialing; d; d = next) {
		const struct service *s = d->conn->service;
		int row = service_next(s, d->dialled);
		/* A strict rule waits for the failure itself (hedge_delay_ms 0). */
		bool hopeless = row >= 0 && s->monitored &&
				hedge_delay_ns(d->conn, s->target[row]) &&
				health_state(&s->target[row]->health) == HEALTH_HEALTHY;

		next = d->next;
		/* Only those whose every pending candidate is Failed now, while a Healthy one is
		 * left, need not wait for the former. */
		for (row = 0; row < s->n && hopeless; row++)
			if (d->try[row] && health_state(&s->target[row]->health) == HEALTH_HEALTHY)
				hopeless = false;
		if (hopeless)
			start_next(d);
	}
}
