// SPDX-License-Identifier: MIT
/* Figures of rules as the messages that servers know. */
#include "edge/control/report.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/rule/rule.h"

#define HISTOGRAM (sizeof(((struct account_record *)0)->connect_hist) / sizeof(uint64_t))

struct kernel_message {
	Portunus__V1__KernelStats msg;
	uint64_t histogram[HISTOGRAM];
};

struct caps_message {
	Portunus__V1__RateLimitStats msg;
	Portunus__V1__RateLimitRejectCount count[REFUSALS];
	Portunus__V1__RateLimitRejectCount *counts[REFUSALS];
};

struct owner_message {
	Portunus__V1__OwnerRateLimitStats msg;
	struct caps_message caps;
};

struct rule_message {
	Portunus__V1__RuleStats msg;
	struct caps_message caps;
	Portunus__V1__PerTargetStats row[RULE_TARGETS_MAX];
	Portunus__V1__PerTargetStats *rows[RULE_TARGETS_MAX];
	struct kernel_message row_kernel[RULE_TARGETS_MAX], kernel, unassigned;
};

struct sni_message {
	Portunus__V1__SniListenerStats msg;
	uint64_t bucket[SNI_BUCKETS];
};

struct report_message {
	Portunus__V1__StatsReport msg;
	Portunus__V1__SniListenerStats **ports; /* each the first member of a struct sni_message */
	size_t n_ports, ports_room;
	unsigned n;
	Portunus__V1__RuleStats *stats[REPORT_RULES];
	struct rule_message rule[REPORT_RULES];
	struct port_rows port_rows;	  /* of all rules, one after the other */
	size_t n_port_rows[REPORT_RULES]; /* of each */
	unsigned n_owners;
	Portunus__V1__OwnerRateLimitStats *owners[REPORT_OWNERS];
	struct owner_message owner[REPORT_OWNERS];
};

struct report_message *report_message_new(void)
{
	return calloc(1, sizeof(struct report_message));
}

static void free_ports(struct report_message *m)
{
	while (m->n_ports)
		free(m->ports[--m->n_ports]);
}

void report_message_free(struct report_message *m)
{
	if (!m)
		return;
	free_ports(m);
	port_rows_free(&m->port_rows);
	free(m->ports);
	free(m);
}

unsigned report_message_rules(const struct report_message *m)
{
	return m->n;
}

void report_message_clear(struct report_message *m)
{
	m->n = 0;
	m->n_owners = 0;
	port_rows_free(&m->port_rows);
	free_ports(m);
}

/* Room for one more port. */
static bool grow_ports(struct report_message *m)
{
	size_t room = m->ports_room ? 2 * m->ports_room : 8;
	Portunus__V1__SniListenerStats **more;

	if (m->n_ports < m->ports_room)
		return true;
	more = realloc(m->ports, room * sizeof(*more));
	if (!more)
		return false;
	m->ports = more;
	m->ports_room = room;
	return true;
}

/* The entry of a port, all zeros when it is new; NULL for memory. */
static struct sni_message *entry_of(struct report_message *all, uint16_t port)
{
	struct sni_message *m;

	for (size_t i = 0; i < all->n_ports; i++)
		if (all->ports[i]->listen_port == port)
			return (struct sni_message *)all->ports[i];
	m = grow_ports(all) ? calloc(1, sizeof(*m)) : NULL;
	if (!m)
		return NULL;
	portunus__v1__sni_listener_stats__init(&m->msg);
	m->msg.listen_port = port;
	m->msg.n_client_hello_peek_bucket_counts = SNI_BUCKETS;
	m->msg.client_hello_peek_bucket_counts = m->bucket;
	all->ports[all->n_ports++] = &m->msg;
	return m;
}

/* Servers know a port by its number alone: those of several addresses are one. */
void report_message_add_sni(struct report_message *all, uint16_t port, const struct sni_sums *sums)
{
	struct sni_message *m = entry_of(all, port);

	if (!m)
		return;
	m->msg.sni_route_miss_total += sums->missed;
	m->msg.client_hello_parse_failures_total += sums->failed;
	for (unsigned i = 0; i < SNI_BUCKETS; i++)
		m->bucket[i] += sums->bucket[i];
	m->msg.client_hello_peek_sum_micros += sums->took_us;
	m->msg.client_hello_peek_count += sums->n;
	m->msg.peek_rejected_total += sums->rejected;
}

static Portunus__V1__AccountingMode wire_mode(enum account_mode mode)
{
	return mode == ACCOUNT_BPF ? PORTUNUS__V1__ACCOUNTING_MODE__ACCOUNTING_MODE_BPF
				   : PORTUNUS__V1__ACCOUNTING_MODE__ACCOUNTING_MODE_USER;
}

/* What the kernel alone counts. */
static void set_kernel(struct kernel_message *k, const struct account_record *r,
		       enum account_mode mode)
{
	Portunus__V1__KernelStats *m = &k->msg;
	size_t n = HISTOGRAM;

	portunus__v1__kernel_stats__init(m);
	m->basis = wire_mode(mode);
	m->bytes_in = r->bytes_in;
	m->bytes_out = r->bytes_out;
	m->received_in = r->received_in;
	m->received_out = r->received_out;
	m->active = r->active;
	m->resets = r->resets;
	m->retransmits = r->retransmits;
	m->srtt_us = r->srtt_us;
	m->connect_us_sum = r->connect_us_sum;
	m->connect_us_max = r->connect_us_max;
	m->last_errno = r->last_errno;
	while (n && !r->connect_hist[n - 1])
		n--;
	memcpy(k->histogram, r->connect_hist, n * sizeof(uint64_t));
	m->n_connect_us_log2 = n;
	m->connect_us_log2 = k->histogram;
}

/* Attempts as the edge saw them: the kernel knows neither of time-outs nor of names. Those that
 * failed by an error of ours never reached the target and count for nothing here. */
static void add_attempts(Portunus__V1__KernelStats *m, const struct target_report *t)
{
	m->ok += t->ok;
	m->failed += t->failed;
	m->timed_out += t->timed_out;
	m->abandoned += t->abandoned;
	m->pending += t->pending;
	m->attempted += t->ok + t->failed + t->timed_out + t->abandoned + t->pending;
}

static void set_row(struct rule_message *m, unsigned row, const struct target_report *t,
		    enum account_mode mode)
{
	Portunus__V1__PerTargetStats *p = &m->row[row];
	Portunus__V1__KernelStats *kernel = &m->row_kernel[row].msg;

	portunus__v1__per_target_stats__init(p);
	p->index = row;
	p->host = (char *)t->host;
	p->port = t->port;
	p->priority = t->priority;
	p->health = t->health.state == HEALTH_FAILED;
	p->consecutive_failures = t->health.consecutive_failures;
	p->last_failure_at_unix_ms = t->health.last_failure_unix_ms;
	p->last_success_at_unix_ms = t->health.last_success_unix_ms;
	p->health_since_unix_ms = t->health.since_unix_ms;
	p->next_check_unix_ms = t->health.next_check_unix_ms;
	p->bytes_in = t->bytes_in;
	p->bytes_out = t->bytes_out;
	p->connections_accepted = t->carried;
	p->drained = t->drained;
	p->takes_new = t->takes_new;
	if (t->health.last_error)
		p->cause = (char *)health_cause_text(t->health.last_error);
	set_kernel(&m->row_kernel[row], &t->kernel, mode);
	kernel->bytes_in = t->bytes_in;
	kernel->bytes_out = t->bytes_out;
	if (mode != ACCOUNT_BPF)
		kernel->active = t->active;
	add_attempts(kernel, t);
	p->kernel = kernel;
	m->rows[row] = p;
}

/* Why somebody was refused, by whose envelope. */
static const Portunus__V1__RateLimitRejectReason reasons[][REFUSALS] = {
	[ADMIT_RULE] =
		{
			[REFUSED_CONCURRENT] =
				PORTUNUS__V1__RATE_LIMIT_REJECT_REASON__RATE_LIMIT_REJECT_REASON_CONN_CONCURRENT,
			[REFUSED_CONN_RATE] =
				PORTUNUS__V1__RATE_LIMIT_REJECT_REASON__RATE_LIMIT_REJECT_REASON_CONN_RATE,
			[REFUSED_FLOW_RATE] =
				PORTUNUS__V1__RATE_LIMIT_REJECT_REASON__RATE_LIMIT_REJECT_REASON_UDP_FLOW_RATE,
		},
	[ADMIT_OWNER] =
		{
			[REFUSED_CONCURRENT] =
				PORTUNUS__V1__RATE_LIMIT_REJECT_REASON__RATE_LIMIT_REJECT_REASON_OWNER_CONCURRENT,
			[REFUSED_CONN_RATE] =
				PORTUNUS__V1__RATE_LIMIT_REJECT_REASON__RATE_LIMIT_REJECT_REASON_OWNER_CONN_RATE,
			[REFUSED_FLOW_RATE] =
				PORTUNUS__V1__RATE_LIMIT_REJECT_REASON__RATE_LIMIT_REJECT_REASON_OWNER_UDP_FLOW_RATE,
		},
};

static void set_caps(struct caps_message *m, const struct envelope_figures *f, unsigned whose)
{
	Portunus__V1__RateLimitStats *s = &m->msg;

	portunus__v1__rate_limit_stats__init(s);
	for (unsigned i = 0; i < REFUSALS; i++) {
		Portunus__V1__RateLimitRejectCount *c = &m->count[s->n_reject_total];

		if (!f->refused[i])
			continue;
		portunus__v1__rate_limit_reject_count__init(c);
		c->reason = reasons[whose][i];
		c->total = f->refused[i];
		m->counts[s->n_reject_total++] = c;
	}
	s->reject_total = m->counts;
	s->throttle_micros_in = f->throttled_us[ADMIT_IN];
	s->throttle_micros_out = f->throttled_us[ADMIT_OUT];
	s->active_connections = f->active;
	s->datagrams_dropped = f->dropped;
}

bool report_message_add_owner(struct report_message *all, const char *owner,
			      const struct envelope_figures *figures)
{
	struct owner_message *m = &all->owner[all->n_owners];

	if (all->n_owners == REPORT_OWNERS)
		return false;
	portunus__v1__owner_rate_limit_stats__init(&m->msg);
	m->msg.owner_id = (char *)owner;
	set_caps(&m->caps, figures, ADMIT_OWNER);
	m->msg.stats = &m->caps.msg;
	all->owners[all->n_owners++] = &m->msg;
	return true;
}

bool report_message_add(struct report_message *all, const struct rule_report *r,
			const struct account_record *unassigned)
{
	enum account_mode mode = r->basis;
	struct rule_message *m = &all->rule[all->n];
	Portunus__V1__RuleStats *s = &m->msg;

	if (all->n == REPORT_RULES)
		return false;
	portunus__v1__rule_stats__init(s);
	s->rule_id = r->rule_id;
	s->bytes_in = r->bytes_in;
	s->bytes_out = r->bytes_out;
	s->active_connections = r->active;
	s->dns_failures = r->dns_failures;
	s->target_failovers_total = r->failovers;
	s->hedge_wins = r->hedged;
	s->datagrams_in = r->datagrams_in;
	s->datagrams_out = r->datagrams_out;
	s->active_flows = r->flows;
	s->flows_dropped_overflow = r->flows_dropped;
	s->flows_pending_drops = r->flows_pending_drops;
	s->flows_moved = r->flows_moved;
	s->denied = r->ended[END_DENIED];
	s->in_kernel = (uint32_t)r->in_kernel;
	if (r->limited) {
		set_caps(&m->caps, &r->caps, ADMIT_RULE);
		s->rate_limit = &m->caps.msg;
	}
	s->sni_route_exact_total = r->sni_exact;
	s->sni_route_wildcard_total = r->sni_wildcard;
	s->sni_route_fallback_total = r->sni_fallback;
	set_kernel(&m->kernel, &r->kernel, mode);
	m->kernel.msg.bytes_in = r->bytes_in;
	m->kernel.msg.bytes_out = r->bytes_out;
	if (mode != ACCOUNT_BPF)
		m->kernel.msg.active = r->active;
	for (unsigned i = 0; i < r->n; i++)
		add_attempts(&m->kernel.msg, &r->target[i]);
	s->kernel = &m->kernel.msg;
	if (unassigned) {
		set_kernel(&m->unassigned, unassigned, mode);
		s->unassigned = &m->unassigned.msg;
	}
	if (r->n > 1) {
		for (unsigned i = 0; i < r->n; i++)
			set_row(m, i, &r->target[i], mode);
		s->n_per_target = r->n;
		s->per_target = m->rows;
	}
	all->n_port_rows[all->n] = 0;
	all->stats[all->n++] = s;
	return true;
}

void report_message_add_ports(struct report_message *m, const struct rule_state *rs,
			      enum port_choice which)
{
	if (m->n)
		m->n_port_rows[m->n - 1] = port_rows_add(&m->port_rows, rs, which);
}

size_t report_message_ports(const struct report_message *m)
{
	return m->port_rows.n;
}

/* Only now do the rows stay where they are. */
static void put_ports(struct report_message *m)
{
	size_t at = 0;

	port_rows_settle(&m->port_rows);
	for (unsigned i = 0; m->port_rows.list && i < m->n; i++) {
		m->stats[i]->n_per_port = m->n_port_rows[i];
		m->stats[i]->per_port = m->n_port_rows[i] ? &m->port_rows.list[at] : NULL;
		at += m->n_port_rows[i];
	}
}

Portunus__V1__StatsReport *report_message_get(struct report_message *m,
					      const struct report_head *head)
{
	Portunus__V1__StatsReport *report = &m->msg;

	put_ports(m);
	portunus__v1__stats_report__init(report);
	report->sent_at_unix_ms = clock_wall_ms();
	report->n_stats = m->n;
	report->stats = m->stats;
	report->n_owner_rate_limit_stats = m->n_owners;
	report->owner_rate_limit_stats = m->owners;
	report->n_sni_listener_stats = m->n_ports;
	report->sni_listener_stats = m->ports;
	report->request_id = head->request_id;
	report->counter_epoch = head->epoch;
	report->accounting = wire_mode(head->mode);
	report->accounting_reason = (char *)head->mode_reason;
	report->worker_stalls = head->worker_stalls;
	report->more = head->more;
	return report;
}
