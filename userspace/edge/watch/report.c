// SPDX-License-Identifier: MIT
/* One rule's figures, put together from the kernel's records, the counters and the health. */
#include "edge/watch/report.h"

#include <stdatomic.h>
#include <string.h>

#include "edge/target/choose.h"
#include "lib/base/clock.h"
#include "lib/rule/rule.h"

#define get(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

/* A target's bytes, by whoever counts them now. */
static void read_bytes(struct account *a, struct target *t, const struct target_sums *sums,
		       struct account_record *kernel, uint64_t *in, uint64_t *out)
{
	memset(kernel, 0, sizeof(*kernel));
	if (account_mode(a) == ACCOUNT_BPF) {
		target_store_written(t, a);
		if (t->slot)
			account_read(a, t->slot, kernel);
		*in = kernel->bytes_in;
		*out = kernel->bytes_out;
	} else {
		*in = sums->written_in;
		*out = sums->written_out;
	}
}

static void report_target(struct account *a, const struct service *s, unsigned row,
			  struct target_report *out)
{
	struct target *t = s->target[row];
	struct target_sums sums = target_sum(t);
	uint64_t done;

	out->host = s->rule->targets[row].host;
	out->port = t->port;
	out->priority = s->rule->targets[row].priority;
	out->weight = rule_weight(&s->rule->targets[row]);
	if (s->monitored)
		health_view(&t->health, clock_mono_ns(), clock_wall_ms(), &out->health);
	out->drained = get(t->drained);
	out->takes_new = service_takes_new(s, row);
	out->carried = sums.carried;
	out->active = (uint32_t)sums.active;
	out->ok = sums.ok;
	out->failed = sums.failed;
	out->timed_out = sums.timed_out;
	out->abandoned = sums.abandoned;
	out->local_errors = sums.local_errors;
	done = out->ok + out->failed + out->timed_out + out->abandoned + out->local_errors;
	out->attempted = sums.attempted;
	if (out->attempted < done)
		out->attempted = done;
	out->pending = out->attempted - done;
	out->connect_us = get(t->connect_us);
	out->slot = t->slot;
	read_bytes(a, t, &sums, &out->kernel, &out->bytes_in, &out->bytes_out);
}

/* Targets that the rule no longer has: still used here, and gone from here. */
static void add_former(struct account *a, const struct rule_state *rs, struct rule_report *out)
{
	struct account_record kernel;
	struct target *t;
	uint64_t in, sent;

	LIST_FOREACH (t, &rs->retired, retired) {
		struct target_sums sums = target_sum(t);

		read_bytes(a, t, &sums, &kernel, &in, &sent);
		out->bytes_in += in;
		out->bytes_out += sent;
		account_record_add(&out->kernel, &kernel);
	}
	account_read_removed(a, rs->id, &kernel);
	account_record_add(&out->kernel, &kernel);
	if (account_mode(a) == ACCOUNT_BPF) {
		out->bytes_in += kernel.bytes_in;
		out->bytes_out += kernel.bytes_out;
	} else {
		out->bytes_in += rs->gone_in;
		out->bytes_out += rs->gone_out;
	}
}

static void add_unassigned(struct account *a, const struct rule_state *rs, struct rule_report *out)
{
	struct account_record kernel;

	if (rs->unassigned_slot && account_read(a, rs->unassigned_slot, &kernel) == 0)
		account_record_add(&out->kernel, &kernel);
}

static void read_caps(const struct service *s, struct rule_report *out)
{
	const struct envelope_figures *f = &out->caps;

	envelope_read(s->admission.by[ADMIT_RULE], &out->caps);
	out->limited = (s->rule->fields & RULE_HAS_RATE_LIMIT) || f->dropped ||
		       f->throttled_us[ADMIT_IN] || f->throttled_us[ADMIT_OUT];
	for (unsigned i = 0; i < REFUSALS; i++)
		out->limited |= f->refused[i] != 0;
}

void report_rule(struct account *a, const struct rule_state *rs, struct rule_report *out)
{
	struct rule_totals *totals = rs->service->totals;
	struct totals_sums sums = totals_sum(totals);

	memset(out, 0, sizeof(*out));
	out->rule_id = rs->id;
	out->rule = rs->service->rule;
	out->status = rs->status;
	out->reason = rs->reason;
	out->steered = rs->place >= 0;
	out->unconfirmed = rs->unconfirmed;
	out->monitored = rs->service->monitored;
	out->active = (uint32_t)sums.active;
	out->accepted = sums.accepted;
	out->dns_failures = sums.dns_failures;
	out->failovers = get(totals->failovers);
	out->hedged = sums.hedged;
	out->handed_over = sums.handed_over;
	out->in_kernel = sums.in_kernel;
	memcpy(out->kept, sums.kept, sizeof(out->kept));
	out->untagged = sums.untagged;
	out->routed = rs->group != NULL;
	out->sni_exact = sums.sni_exact;
	out->sni_wildcard = sums.sni_wildcard;
	out->sni_fallback = sums.sni_fallback;
	out->basis = out->rule->protocol == RULE_UDP ? ACCOUNT_USER : account_mode(a);
	out->flows = get(totals->flows);
	out->datagrams_in = sums.datagrams_in;
	out->datagrams_out = sums.datagrams_out;
	out->flows_dropped = sums.flows_dropped;
	out->flows_pending_drops = sums.flows_pending_drops;
	out->flows_moved = sums.flows_moved;
	out->send_dropped = sums.send_dropped;
	for (unsigned i = 0; i < END_REASONS; i++)
		out->ended[i] = sums.ended[i];
	read_caps(rs->service, out);
	out->current = service_current(rs->service);
	out->n = rs->service->n;
	for (unsigned row = 0; row < out->n; row++) {
		report_target(a, rs->service, row, &out->target[row]);
		out->bytes_in += out->target[row].bytes_in;
		out->bytes_out += out->target[row].bytes_out;
		account_record_add(&out->kernel, &out->target[row].kernel);
	}
	add_former(a, rs, out);
	add_unassigned(a, rs, out);
}
