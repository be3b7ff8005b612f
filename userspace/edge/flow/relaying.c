// SPDX-License-Identifier: MIT
/* A port's datagrams: from clients to the targets of their flows, and back from the address asked. */
#include "edge/flow/relaying.h"

#include <string.h>

#include "edge/flow/flow.h"
#include "edge/flow/walk.h"
#include "edge/target/access_list.h"
#include "edge/target/hops.h"
#include "lib/base/log.h"
#include "lib/rule/span.h"

static unsigned datagrams_of(const struct datagram_batch *b, unsigned first, unsigned n)
{
	unsigned sum = 0;

	for (unsigned i = first; i < first + n; i++)
		sum += datagram_count(&b->got[i]);
	return sum;
}

/* How much of one buffer may pass now: whole datagrams from its beginning on. */
static size_t let_pass(const struct flow *f, unsigned direction, const struct datagram *d)
{
	const struct admission *admission = &f->service->admission;
	size_t at = 0, step = d->segment && d->len > d->segment ? d->segment : d->len;

	do {
		size_t len = d->len - at < step ? d->len - at : step;

		if (!admit_datagram(admission, direction, len, f->env->loop->now_ns))
			break;
		at += len;
		if (at == d->len)
			return at;
	} while (step);
	return at;
}

/*
 * Drops what the caps of the rule and its owner have no room for, of buffers @first .. @first + @n - 1.
 * Returns how many are left; they lie side by side from @first on. An empty datagram passes where
 * one of a byte would.
 */
static unsigned shape(struct flow *f, unsigned direction, unsigned first, unsigned n)
{
	struct datagram_batch *b = &f->env->batch;
	unsigned to = first, dropped = 0;

	if (!admit_shapes(&f->service->admission, direction))
		return n;
	for (unsigned i = first; i < first + n; i++) {
		struct datagram d = b->got[i];
		unsigned whole = datagram_count(&d);
		bool passes = d.len || admit_datagram(&f->service->admission, direction, 1,
						      f->env->loop->now_ns);

		if (d.len)
			d.len = let_pass(f, direction, &d);
		if (!passes || (!d.len && b->got[i].len)) {
			dropped += whole;
			continue;
		}
		dropped += whole - datagram_count(&d);
		b->got[to] = d;
		b->iov[to] = (struct iovec){.iov_base = (void *)d.data, .iov_len = d.len};
		to++;
	}
	if (dropped)
		envelope_dropped(f->service->admission.by[ADMIT_RULE], f->env->worker, dropped);
	return to - first;
}

/* Buffers first .. first + n - 1 go to the flow's target, or are kept until there is one. */
static void to_target(struct flow *f, unsigned first, unsigned n)
{
	struct datagram_batch *b = &f->port->env->batch;
	struct totals_cell *totals = flow_totals_cell(f);
	struct datagram_sent sent;

	n = shape(f, ADMIT_IN, first, n);
	if (!n)
		return;
	flow_touch(f);
	flow_expect_answer(f);
	if (f->state == FLOW_WAITING || (!f->replied && !f->settled && f->service->n > 1)) {
		unsigned i = first;

		while (i < first + n && flow_hold(f, &b->got[i]))
			i++;
		if (f->state == FLOW_WAITING) {
			cell_add(&totals->flows_pending_drops, datagrams_of(b, i, first + n - i));
			return;
		}
	}
	sent = batch_send(b, first, n, f->fd, NULL);
	flow_count_in(f, &sent);
	cell_add(&totals->send_dropped, sent.dropped);
	if (sent.err)
		flow_failed(f, sent.err);
}

static void to_client(struct flow *f)
{
	struct datagram_batch *b = &f->port->env->batch;
	struct datagram_route route = {.to = &f->client, .from = &f->key.local};
	struct port_cell *port = flow_port_cell(f);
	int n = batch_receive(b, f->fd);
	struct datagram_sent sent;

	if (n <= 0)
		return;
	if (!f->replied)
		flow_answered(f);
	flow_touch(f);
	n = (int)shape(f, ADMIT_OUT, 0, (unsigned)n);
	for (unsigned at = 0; at < (unsigned)n; at += sent.done + !!sent.err) {
		/* An error is this client's, whose datagram is lost; the flow stays. */
		sent = batch_send(b, at, (unsigned)n - at, f->via->fd, &route);
		f->datagrams_out += sent.datagrams;
		f->bytes_out += sent.bytes;
		cell_add(&flow_target_cell(f)->written_out, sent.bytes);
		cell_add(&flow_totals_cell(f)->datagrams_out, sent.datagrams);
		if (port) {
			cell_add(&port->bytes_out, sent.bytes);
			cell_add(&port->datagrams_out, sent.datagrams);
		}
		cell_add(&flow_totals_cell(f)->send_dropped, sent.dropped + !!sent.err);
	}
}

static void on_flow_event(struct io *io, unsigned slot, uint32_t events)
{
	struct flow *f = (struct flow *)io;
	int err;

	if (f->state != FLOW_OPEN || slot != f->slot)
		return;
	if (events & EPOLLIN)
		to_client(f);
	if (!(events & EPOLLERR) || f->state != FLOW_OPEN)
		return;
	err = datagram_icmp_error(f->fd);
	if (err)
		flow_failed(f, err);
}

/* One line for a rule: there would be one for each datagram, and more. */
static void refuse_loop(const struct flow_socket *s)
{
	const struct flow_port *p = s->port;
	struct rule_totals *totals = p->service->totals;

	cell_add(&totals_cell(totals, p->env->worker)->ended[END_LOOP], 1);
	if (!atomic_exchange(&totals->loop_said, true))
		log_event(LOG_WARN, "rule.loop", LOGF_UINT("rule", p->service->rule->id),
			  LOGF_UINT("port", s->number),
			  LOGF_STR("hint",
				   "its target leads back to this port, by an address of "
				   "this host or by another rule; such datagrams are dropped"));
}

/* A client that the rule does not let in gets no flow: each of its datagrams is dropped. */
static bool is_denied(const struct flow_port *p, const union addr *client, unsigned datagrams)
{
	if (!p->service->access || access_list_permits(p->service->access, client))
		return false;
	cell_add(&totals_cell(p->service->totals, p->env->worker)->ended[END_DENIED], datagrams);
	return true;
}

/* The flow of a client that has sent so many datagrams, an old one or a new one; NULL: they are dropped. */
static struct flow *flow_of(struct flow_socket *s, const union addr *client,
			    const struct in6_addr *local, unsigned datagrams)
{
	struct flow_port *p = s->port;
	struct flow *f = flow_find(s, client, local);
	unsigned hops;

	if (f) {
		flow_seen_again(f);
		if (f->service != p->service)
			flow_rehome(f);
		return f->state == FLOW_CLOSED ? NULL : f;
	}
	if (is_denied(p, client, datagrams))
		return NULL;
	hops = hops_passed(p->env->hops, s->fd, client, p->env->loop->now_ns);
	if (hops >= HOPS_MAX) {
		refuse_loop(s);
		return NULL;
	}
	f = flow_new(s, client, local);
	if (!f)
		return NULL;
	f->hops = (uint8_t)hops;
	f->io.event = on_flow_event;
	flow_walk(f);
	return f->state == FLOW_CLOSED ? NULL : f;
}

/* How many buffers from @i on are of the same client and went to the same address. */
static unsigned run_of(const struct datagram_batch *b, unsigned i, unsigned n)
{
	unsigned end = i + 1;

	while (end < n && addr_equal(&b->from[end], &b->from[i]) &&
	       !memcmp(&b->local[end], &b->local[i], sizeof(b->local[i])))
		end++;
	return end - i;
}

void flow_relay_clients(struct flow_socket *s)
{
	struct datagram_batch *b = &s->port->env->batch;
	int n = batch_receive(b, s->fd);
	unsigned len;

	/* The rule has given the port up, and the socket is about to be closed. */
	if (!span_has(rule_span(s->port->service->rule), s->number))
		return;
	for (unsigned i = 0; n > 0 && i < (unsigned)n; i += len) {
		struct flow *f;

		len = run_of(b, i, (unsigned)n);
		f = flow_of(s, &b->from[i], &b->local[i], datagrams_of(b, i, len));
		if (f)
			to_target(f, i, len);
	}
}
