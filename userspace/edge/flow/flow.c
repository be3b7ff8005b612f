// SPDX-License-Identifier: MIT
/* The flows of one port: found, made within the rule's limit, ended, and their first datagrams kept. */
#include "edge/flow/flow.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edge/resolve/resolve.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"

/* First datagrams that wait for a target: enough for a QUIC or WireGuard hand-shake. */
#define HELD_MAX	8
#define HELD_BYTES_MAX	(64u << 10)
#define HELD_BYTES_RULE (4u << 20)
/* A flow of one datagram that is older may be a forged one, and gives way when a rule is full. */
#define ONCE_NS (2 * NS_PER_SEC)

static void make_key(struct flow_key *k, const struct flow_socket *s, const union addr *client,
		     const struct in6_addr *local)
{
	memset(k, 0, sizeof(*k));
	k->listen_port = s->number;
	k->local = *local;
	if (client->sa.sa_family == AF_INET) {
		k->client.s6_addr[10] = k->client.s6_addr[11] = 0xff;
		memcpy(&k->client.s6_addr[12], &client->v4.sin_addr, 4);
		k->port = client->v4.sin_port;
	} else {
		k->client = client->v6.sin6_addr;
		k->port = client->v6.sin6_port;
		k->scope = client->v6.sin6_scope_id;
	}
}

/* Multiply and fold, keyed: a client that chooses addresses and ports cannot choose a bucket. */
static unsigned hash(const struct flow_env *env, const struct flow_key *k)
{
	uint64_t word[sizeof(*k) / sizeof(uint64_t)], h = env->seed;

	memcpy(word, k, sizeof(word));
	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++) {
		__uint128_t m = (__uint128_t)(h ^ word[i]) * 0x9e3779b97f4a7c15ull;

		h = (uint64_t)m ^ (uint64_t)(m >> 64) ^ env->seed;
	}
	return (unsigned)(h ^ h >> 32);
}

struct flow *flow_find(const struct flow_socket *s, const union addr *client,
		       const struct in6_addr *local)
{
	const struct flow_port *p = s->port;
	struct flow_key k;
	struct flow *f;

	make_key(&k, s, client, local);
	HASH_FIND_BYHASHVALUE(hh, p->table, &k, sizeof(k), hash(p->env, &k), f);
	return f;
}

static unsigned max_flows(const struct flow_port *p)
{
	const struct rule *r = p->service->rule;

	return r->fields & RULE_HAS_UDP_MAX_FLOWS
		       ? r->udp_max_flows
		       : atomic_load_explicit(&p->env->limits->max_flows, memory_order_relaxed);
}

uint64_t flow_idle_ns(const struct flow_port *p)
{
	const struct rule *r = p->service->rule;
	unsigned secs = r->fields & RULE_HAS_UDP_IDLE
				? r->udp_flow_idle_secs
				: atomic_load_explicit(&p->env->limits->idle_secs,
						       memory_order_relaxed);

	return secs * NS_PER_SEC;
}

/* Whether the rule may have one flow more; then it is counted already. */
static bool take_place(struct flow_port *p)
{
	struct rule_totals *totals = p->service->totals;

	if (atomic_fetch_add_explicit(&totals->flows, 1, memory_order_relaxed) < max_flows(p))
		return true;
	atomic_fetch_sub_explicit(&totals->flows, 1, memory_order_relaxed);
	return false;
}

/* A flood of forged addresses must not lock everybody out for as long as flows may be idle. */
static bool make_place(struct flow_port *p)
{
	struct flow *old = TAILQ_FIRST(&p->once);

	if (!old || p->env->loop->now_ns - old->opened_ns < ONCE_NS)
		return false;
	flow_close(old);
	return take_place(p);
}

/* Within the caps and the limit of flows; then it is counted in both. */
static bool let_in(struct flow_port *p)
{
	const struct admission *admission = &p->service->admission;

	if (!admit_enter(admission, p->env->worker, true, p->env->loop->now_ns))
		return false;
	if (take_place(p))
		return true;
	cell_add(&totals_cell(p->service->totals, p->env->worker)->flows_dropped, 1);
	if (make_place(p))
		return true;
	admit_take_back(admission, p->env->worker);
	return false;
}

struct flow *flow_new(struct flow_socket *s, const union addr *client, const struct in6_addr *local)
{
	struct flow_port *p = s->port;
	struct flow *f;

	if (!let_in(p))
		return NULL;
	f = slab_alloc(&p->env->flows);
	if (!f) {
		admit_take_back(&p->service->admission, p->env->worker);
		atomic_fetch_sub_explicit(&p->service->totals->flows, 1, memory_order_relaxed);
		return NULL;
	}
	f->env = p->env;
	f->port = p;
	f->via = s;
	f->client = *client;
	f->service = service_ref(p->service);
	f->entered = service_ref(p->service);
	f->fd = -1;
	f->waiter.inbox = &p->env->inbox;
	f->state = FLOW_WAITING;
	f->opened_ns = f->active_ns = p->env->loop->now_ns;
	STAILQ_INIT(&f->held);
	make_key(&f->key, s, client, local);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, p->table, &f->key, sizeof(f->key), hash(p->env, &f->key),
				    f);
	TAILQ_INSERT_TAIL(&p->by_age, f, by_age);
	TAILQ_INSERT_TAIL(&p->once, f, once);
	f->is_once = true;
	return f;
}

void flow_touch(struct flow *f)
{
	struct flow_port *p = f->port;

	f->active_ns = p->env->loop->now_ns;
	if (TAILQ_NEXT(f, by_age)) {
		TAILQ_REMOVE(&p->by_age, f, by_age);
		TAILQ_INSERT_TAIL(&p->by_age, f, by_age);
	}
}

void flow_seen_again(struct flow *f)
{
	if (!f->is_once)
		return;
	TAILQ_REMOVE(&f->port->once, f, once);
	f->is_once = false;
}

static void free_flow(struct deferred_free *deferred)
{
	struct flow *f = container_of(deferred, struct flow, deferred);

	slab_free(&f->env->flows, f);
}

void flow_leave_target(struct flow *f)
{
	struct target *t = f->target;

	if (f->fd >= 0) {
		close(f->fd);
		f->fd = -1;
		cell_add(&flow_target_cell(f)->active, -1ull);
	}
	if (t)
		target_unref(t);
	f->target = NULL;
}

void flow_count_in(struct flow *f, const struct datagram_sent *sent)
{
	f->datagrams_in += sent->datagrams;
	f->bytes_in += sent->bytes;
	f->unsettled += sent->datagrams;
	f->unsettled_bytes += sent->bytes;
	if (f->settled)
		flow_settle(f);
}

void flow_settle(struct flow *f)
{
	struct port_cell *port;

	f->settled = true;
	if (f->target)
		cell_add(&flow_target_cell(f)->written_in, f->unsettled_bytes);
	cell_add(&flow_totals_cell(f)->datagrams_in, f->unsettled);
	port = flow_port_cell(f);
	if (port) {
		cell_add(&port->bytes_in, f->unsettled_bytes);
		cell_add(&port->datagrams_in, f->unsettled);
	}
	f->unsettled = 0;
	f->unsettled_bytes = 0;
}

void flow_uncount(struct flow *f)
{
	f->datagrams_in -= f->unsettled;
	f->bytes_in -= f->unsettled_bytes;
	f->unsettled = 0;
	f->unsettled_bytes = 0;
}

static void log_closed(const struct flow *f)
{
	char client[ADDR_TEXT_MAX];

	if (!log_enabled(LOG_DEBUG))
		return;
	log_event(LOG_DEBUG, "flow.closed", LOGF_UINT("rule", f->service->rule->id),
		  LOGF_UINT("port", f->key.listen_port),
		  LOGF_STR("client", addr_text(&f->client, client, sizeof(client))),
		  LOGF_STR("target", f->target ? f->target->host : NULL),
		  LOGF_UINT("target_port", f->target ? f->target->port : 0),
		  LOGF_UINT("datagrams_in", f->datagrams_in),
		  LOGF_UINT("datagrams_out", f->datagrams_out),
		  LOGF_UINT("age_ms", (f->port->env->loop->now_ns - f->opened_ns) / NS_PER_MS));
}

void flow_close(struct flow *f)
{
	struct flow_port *p = f->port;

	if (f->state == FLOW_CLOSED)
		return;
	log_closed(f);
	/* Never answered and never refused: neither a success nor a failure. */
	flow_settle(f);
	if (f->fd >= 0 && !f->replied)
		cell_add(&flow_target_cell(f)->abandoned, 1);
	resolve_cancel(p->env->resolver, &f->waiter);
	flow_leave_target(f);
	f->state = FLOW_CLOSED;
	flow_drop_held(f);
	timer_clear(&p->env->loop->timers, &f->timer);
	HASH_DELETE(hh, p->table, f);
	TAILQ_REMOVE(&p->by_age, f, by_age);
	flow_seen_again(f);
	atomic_fetch_sub_explicit(&f->service->totals->flows, 1, memory_order_relaxed);
	admit_leave(&f->entered->admission, p->env->worker);
	service_unref(f->entered);
	service_unref(f->service);
	loop_defer_free(p->env->loop, &f->deferred, free_flow);
}

bool flow_hold(struct flow *f, const struct datagram *d)
{
	struct rule_totals *totals = flow_totals(f);
	struct held *h = NULL;

	if (f->n_held < HELD_MAX && f->held_bytes + d->len <= HELD_BYTES_MAX &&
	    atomic_load_explicit(&totals->held_bytes, memory_order_relaxed) + d->len <=
		    HELD_BYTES_RULE)
		h = malloc(sizeof(*h) + d->len);
	if (!h)
		return false;
	h->len = d->len;
	h->segment = d->segment;
	memcpy(h->data, d->data, d->len);
	STAILQ_INSERT_TAIL(&f->held, h, next);
	f->n_held++;
	f->held_bytes += (uint32_t)d->len;
	atomic_fetch_add_explicit(&totals->held_bytes, d->len, memory_order_relaxed);
	return true;
}

void flow_drop_held(struct flow *f)
{
	struct held *h;

	if (!f->n_held)
		return;
	while ((h = STAILQ_FIRST(&f->held))) {
		STAILQ_REMOVE_HEAD(&f->held, next);
		free(h);
	}
	atomic_fetch_sub_explicit(&flow_totals(f)->held_bytes, f->held_bytes, memory_order_relaxed);
	f->n_held = 0;
	f->held_bytes = 0;
}
