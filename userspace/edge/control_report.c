// SPDX-License-Identifier: MIT
/* Figures of rules as the messages that servers know. */
#include "edge/control_report.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/rule.h"

#define HISTOGRAM (sizeof(((struct account_record *)0)->connect_hist) / sizeof(uint64_t))

struct kernel_message {
	Portunus__V1__KernelStats msg;
	uint64_t histogram[HISTOGRAM];
};

struct rule_message {
	Portunus__V1__RuleStats msg;
	Portunus__V1__PerTargetStats row[RULE_TARGETS_MAX];
	Portunus__V1__PerTargetStats *rows[RULE_TARGETS_MAX];
	struct kernel_message row_kernel[RULE_TARGETS_MAX], kernel, unassigned;
};

struct report_message {
	Portunus__V1__StatsReport msg;
	unsigned n;
	Portunus__V1__RuleStats *stats[REPORT_RULES];
	struct rule_message rule[REPORT_RULES];
};

struct report_message *report_message_new(void)
{
	return calloc(1, sizeof(struct report_message));
}

void report_message_free(struct report_message *m)
{
	free(m);
}

unsigned report_message_rules(const struct report_message *m)
{
	return m->n;
}

void report_message_clear(struct report_message *m)
{
	m->n = 0;
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
	set_kernel(&m->row_kernel[row], &t->kernel, mode);
	kernel->bytes_in = t->bytes_in;
	kernel->bytes_out = t->bytes_out;
	if (mode != ACCOUNT_BPF)
		kernel->active = t->active;
	add_attempts(kernel, t);
	p->kernel = kernel;
	m->rows[row] = p;
}

bool report_message_add(struct report_message *all, const struct rule_report *r,
			const struct account_record *unassigned, enum account_mode mode)
{
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
	all->stats[all->n++] = s;
	return true;
}

Portunus__V1__StatsReport *report_message_get(struct report_message *m,
					      const struct report_head *head)
{
	Portunus__V1__StatsReport *report = &m->msg;

	portunus__v1__stats_report__init(report);
	report->sent_at_unix_ms = clock_wall_ms();
	report->n_stats = m->n;
	report->stats = m->stats;
	report->request_id = head->request_id;
	report->counter_epoch = head->epoch;
	report->accounting = wire_mode(head->mode);
	report->accounting_reason = (char *)head->mode_reason;
	report->more = head->more;
	return report;
}
