// SPDX-License-Identifier: MIT
/* The life of a connection that the kernel relays: its figures, its limits, its end. */
#include "edge/kernelrelay/joined.h"

#include <unistd.h>

#include "edge/kernelrelay/conntrack.h"
#include "edge/kernelrelay/entry.h"
#include "edge/kernelrelay/routes.h"
#include "edge/kernelrelay/share.h"
#include "edge/kernelrelay/sockets.h"
#include "lib/base/clock.h"

/* After most of the sweep's limit a silent peer is asked, and so often before it counts as dead: what
 * keep-alive and the sweep do for the connections of user space, in the same time. */
#define SILENT_SHARE(limit) ((limit) / 5 * 4)
#define PROBE_SHARE(limit)  ((limit) / 15 * 2)
#define PROBES_MAX	    2

/* Bytes that the peer of @leg has acknowledged since the socket's own figure, a FIN not counted. */
static uint64_t delivered(const struct relay_pair *p, int leg)
{
	uint64_t n = __atomic_load_n(&p->leg[leg].acked, __ATOMIC_RELAXED);
	uint32_t fin = leg == CLIENT ? RELAY_FIN_ACKED1 : RELAY_FIN_ACKED0;

	return n && (__atomic_load_n(&p->flags, __ATOMIC_RELAXED) & fin) ? n - 1 : n;
}

/* Of these, what user space had not written before the hand-over. */
static uint64_t relayed(const struct relay_pair *p, int leg)
{
	uint32_t old = p->leg[leg].handed_snd - p->leg[leg].handed_una;
	uint64_t n = delivered(p, leg);

	return n > old ? n - old : 0;
}

void relay_joined_figures(const struct relay_share *s, const struct conn *c,
			  struct conn_figures *out)
{
	const struct relay_pair *p = relay_pair_of(s, relay_slot_of(c));

	out->bytes_in = delivered(p, TARGET);
	out->bytes_out = delivered(p, CLIENT);
}

/* Brings the worker's counters up to date; returns whether something has moved. */
static bool count(struct relay_share *s, struct conn *c)
{
	uint32_t slot = relay_slot_of(c);
	const struct relay_pair *p = relay_pair_of(s, slot);
	struct relay_held *h = relay_held_of(s, slot);
	struct port_cell *port = conn_port_cell(c);
	bool moved = false;

	for (int from = CLIENT; from <= TARGET; from++) {
		uint64_t now = relayed(p, !from), more = now - h->taken[from];

		if (!more)
			continue;
		moved = true;
		h->taken[from] = now;
		c->direction[from].bytes += more;
		cell_add(from == CLIENT ? &conn_target_cell(c)->written_in
					: &conn_target_cell(c)->written_out,
			 more);
		if (port)
			cell_add(from == CLIENT ? &port->bytes_in : &port->bytes_out, more);
	}
	return moved;
}

static void close_sockets(struct conn *c)
{
	for (int leg = CLIENT; leg <= TARGET; leg++) {
		close(c->fd[leg]);
		c->fd[leg] = -1;
	}
}

/* Both peers are told by a RST. The tuples are gone, so that what they send meets no entry. */
static void reset_peers(const struct relay_pair *p)
{
	bool v6 = p->flags & RELAY_IPV6;

	for (int leg = CLIENT; leg <= TARGET; leg++) {
		const struct relay_leg *own = &p->leg[leg], *other = &p->leg[!leg];

		relay_tuple_reset(&p->tuple[leg], v6, other->seen_end + other->seq_add,
				  own->seen_end);
	}
}

/* The firewall's memory of the two has seen no FIN: it would keep them for days. */
static void forget_tracked(struct relay_share *s, const struct relay_pair *p)
{
	for (int leg = CLIENT; s->conntrack && leg <= TARGET; leg++)
		relay_conntrack_forget(s->conntrack, &p->tuple[leg], leg == CLIENT,
				       p->flags & RELAY_IPV6);
}

static void give_back(struct relay_share *s, uint32_t slot)
{
	relay_programs_fold(&s->relay->programs, slot, slot + 1);
	__atomic_store_n(&relay_pair_of(s, slot)->word, RELAY_FREE, __ATOMIC_SEQ_CST);
	relay_slots_rest(&s->slots, slot, s->env->loop->now_ns);
}

void relay_joined_reset(struct relay_share *s, uint32_t slot)
{
	relay_entry_forget(s, slot);
	reset_peers(relay_pair_of(s, slot));
	forget_tracked(s, relay_pair_of(s, slot));
	give_back(s, slot);
}

void relay_joined_closing(struct relay_share *s, struct conn *c)
{
	uint32_t slot = relay_slot_of(c);
	struct relay_pair *p = relay_pair_of(s, slot);
	struct relay_held *h = relay_held_of(s, slot);

	count(s, c);
	cell_add(&conn_totals(c)->in_kernel, -1ull);
	if (relay_state_of(p) == RELAY_ENDED) {
		relay_programs_fold(&s->relay->programs, slot, slot + 1);
		close_sockets(c);
		relay_slots_linger(&s->slots, slot, s->env->loop->now_ns);
		atomic_store(&s->relay->ended_ns, s->env->loop->now_ns);
	} else {
		relay_entry_forget(s, slot);
		close_sockets(c);
		reset_peers(p);
		give_back(s, slot);
	}
	forget_tracked(s, p);
	LIST_REMOVE(h, entry);
	h->conn = NULL;
	c->kernel_slot = 0;
}

static void begin(struct relay_share *s, struct conn *c, struct relay_held *h)
{
	c->state = CONN_KERNEL;
	c->active_ms = conn_now_ms(s->env);
	h->conn = c;
	h->probed_ns = 0;
	h->probes = 0;
	LIST_INSERT_HEAD(&s->joined, h, entry);
	cell_add(&conn_totals(c)->in_kernel, 1);
}

void relay_joined_begin(struct relay_share *s, struct conn *c)
{
	uint32_t slot = relay_slot_of(c);
	struct relay_pair *p = relay_pair_of(s, slot);
	struct relay_held *h = relay_held_of(s, slot);
	struct loop *l = s->env->loop;

	for (int leg = CLIENT; leg <= TARGET; leg++)
		relay_socket_hush(c->fd[leg], s->relay->programs.hush_fd, !p->leg[leg].old_acked);
	timer_clear(&l->timers, &c->timer);
	loop_work_cancel(l, &c->work);
	p->handed_ns = l->now_ns;
	h->taken[CLIENT] = h->taken[TARGET] = 0;
	cell_add(&conn_totals(c)->handed_over, 1);
	begin(s, c, h);
}

void relay_joined_adopt(struct relay_share *s, struct conn *c)
{
	uint32_t slot = relay_slot_of(c);
	struct relay_pair *p = relay_pair_of(s, slot);
	struct relay_held *h = relay_held_of(s, slot);

	p->worker = s->worker;
	/* The records may be others than those of the process before. */
	p->record = c->target->slot;
	for (int from = CLIENT; from <= TARGET; from++) {
		h->taken[from] = relayed(p, !from);
		c->direction[from].bytes = p->before[from] + h->taken[from];
	}
	begin(s, c, h);
}

static void close_ended(struct conn *c, const struct relay_pair *p)
{
	uint32_t flags = p->flags;

	conn_close(c, flags & RELAY_RST0   ? END_CLIENT_RESET
		      : flags & RELAY_RST1 ? END_TARGET_RESET
					   : END_CLOSED);
}

void relay_joined_ended(struct relay_share *s, uint32_t slot, uint32_t generation)
{
	const struct relay_pair *p = relay_pair_of(s, slot);
	struct conn *c = relay_held_of(s, slot)->conn;

	if (c && c->state == CONN_KERNEL && p->generation == generation)
		close_ended(c, p);
}

/* Whether nothing has moved for longer than the rule allows; sets *@reason then. */
static bool is_idle(const struct conn *c, const struct relay_pair *p, enum end_reason *reason)
{
	const struct rule *r = c->service->rule;
	uint64_t idle = r->idle_timeout_secs, half = r->half_close_timeout_secs, limit = idle;

	*reason = END_IDLE;
	if ((p->flags & (RELAY_FIN0 | RELAY_FIN1)) && half && (!idle || half < idle)) {
		*reason = END_HALF_CLOSED;
		limit = half;
	}
	return limit && conn_now_ms(c->env) - c->active_ms >= limit * 1000;
}

/* Asks a peer that was silent for long for a sign of life; returns whether it is dead. */
static bool is_dead(struct relay_share *s, struct conn *c, struct relay_held *h,
		    const struct relay_pair *p)
{
	uint64_t now = s->env->loop->now_ns, limit = s->env->sweep_limit_ms * NS_PER_MS;
	bool silent[2];

	for (int leg = CLIENT; leg <= TARGET; leg++)
		silent[leg] = now > p->leg[leg].last_ns &&
			      now - p->leg[leg].last_ns > SILENT_SHARE(limit);
	if (!silent[CLIENT] && !silent[TARGET]) {
		h->probes = 0;
		return false;
	}
	if (h->probes && now - h->probed_ns < PROBE_SHARE(limit))
		return false;
	if (h->probes >= PROBES_MAX)
		return true;
	h->probes++;
	h->probed_ns = now;
	for (int leg = CLIENT; leg <= TARGET; leg++)
		if (silent[leg])
			relay_socket_probe(c->fd[leg]);
	return false;
}

void relay_joined_reroute(struct relay_share *s)
{
	struct relay_routes *routes = LIST_EMPTY(&s->joined) ? NULL : relay_routes_open();
	struct relay_held *h;

	LIST_FOREACH (h, &s->joined, entry) {
		struct relay_pair *p = relay_pair_of(s, relay_slot_of(h->conn));

		for (int leg = CLIENT; leg <= TARGET; leg++) {
			struct relay_leg *d = &p->leg[leg];
			int ifindex;

			if (!routes)
				continue;
			ifindex = relay_routes_find(routes, &p->tuple[!leg], p->flags & RELAY_IPV6);
			/* Without a way it goes on trying the old one, as a router would. */
			if (ifindex > 0)
				__atomic_store_n(&d->ifindex, (uint32_t)ifindex, __ATOMIC_RELAXED);
		}
	}
	relay_routes_close(routes);
}

void relay_joined_look(struct relay_share *s)
{
	struct relay_held *h, *next;

	for (h = LIST_FIRST(&s->joined); h; h = next) {
		struct conn *c = h->conn;
		const struct relay_pair *p = relay_pair_of(s, relay_slot_of(c));
		enum end_reason reason;

		next = LIST_NEXT(h, entry);
		if (count(s, c))
			c->active_ms = conn_now_ms(s->env);
		if (relay_state_of(p) == RELAY_ENDED)
			close_ended(c, p);
		else if (is_idle(c, p, &reason))
			conn_close(c, reason);
		else if (is_dead(s, c, h, p))
			conn_close(c, END_DEAD_PEER);
	}
}
