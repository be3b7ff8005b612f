// SPDX-License-Identifier: MIT
/* One rule's figures, put together from the kernel's records, the counters and the health. */
#include "edge/report.h"

#include <stdatomic.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/rule.h"

#define get(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

static void add_kernel(struct account_record *sum, const struct account_record *r)
{
	sum->bytes_in += r->bytes_in;
	sum->bytes_out += r->bytes_out;
	sum->received_in += r->received_in;
	sum->received_out += r->received_out;
	sum->attempted += r->attempted;
	sum->ok += r->ok;
	sum->failed += r->failed;
	sum->aborted += r->aborted;
	sum->active += r->active;
	sum->resets += r->resets;
	sum->retransmits += r->retransmits;
	sum->connect_us_sum += r->connect_us_sum;
	if (r->connect_us_max > sum->connect_us_max)
		sum->connect_us_max = r->connect_us_max;
	for (unsigned i = 0; i < sizeof(sum->connect_hist) / sizeof(sum->connect_hist[0]); i++)
		sum->connect_hist[i] += r->connect_hist[i];
}

/* A target's bytes, by whoever counts them now. */
static void read_bytes(struct account *a, struct target *t, struct account_record *kernel,
		       uint64_t *in, uint64_t *out)
{
	memset(kernel, 0, sizeof(*kernel));
	if (account_mode(a) == ACCOUNT_BPF) {
		if (t->slot)
			account_read(a, t->slot, kernel);
		*in = kernel->bytes_in;
		*out = kernel->bytes_out;
	} else {
		*in = get(t->written_in);
		*out = get(t->written_out);
	}
}

static void report_target(struct account *a, const struct service *s, unsigned row,
			  struct target_report *out)
{
	struct target *t = s->target[row];
	uint64_t done;

	out->host = s->rule->targets[row].host;
	out->port = t->port;
	out->priority = s->rule->targets[row].priority;
	if (s->monitored)
		health_view(&t->health, clock_mono_ns(), clock_wall_ms(), &out->health);
	out->drained = get(t->drained);
	out->carried = get(t->carried);
	out->active = get(t->active);
	/* Read last, so that pending is never negative. */
	out->ok = get(t->ok);
	out->failed = get(t->failed);
	out->timed_out = get(t->timed_out);
	out->abandoned = get(t->abandoned);
	out->local_errors = get(t->local_errors);
	done = out->ok + out->failed + out->timed_out + out->abandoned + out->local_errors;
	out->attempted = get(t->attempted);
	if (out->attempted < done)
		out->attempted = done;
	out->pending = out->attempted - done;
	out->connect_us = get(t->connect_us);
	out->slot = t->slot;
	read_bytes(a, t, &out->kernel, &out->bytes_in, &out->bytes_out);
}

/* Targets that the rule no longer has: still used here, and gone from here. */
static void add_former(struct account *a, const struct rule_state *rs, struct rule_report *out)
{
	struct account_record kernel;
	uint64_t in, sent;

	for (struct target *t = rs->retired; t; t = t->next) {
		read_bytes(a, t, &kernel, &in, &sent);
		out->bytes_in += in;
		out->bytes_out += sent;
		add_kernel(&out->kernel, &kernel);
	}
	account_read_removed(a, rs->id, &kernel);
	add_kernel(&out->kernel, &kernel);
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
		add_kernel(&out->kernel, &kernel);
}

void report_rule(struct account *a, const struct rule_state *rs, struct rule_report *out)
{
	struct rule_totals *totals = rs->service->totals;

	memset(out, 0, sizeof(*out));
	out->rule_id = rs->id;
	out->rule = rs->service->rule;
	out->status = rs->status;
	out->reason = rs->reason;
	out->unconfirmed = rs->unconfirmed;
	out->monitored = rs->service->monitored;
	out->active = get(totals->active);
	out->accepted = get(totals->accepted);
	out->dns_failures = get(totals->dns_failures);
	out->failovers = get(totals->failovers);
	out->hedged = get(totals->hedged);
	out->untagged = get(totals->untagged);
	for (unsigned i = 0; i < END_REASONS; i++)
		out->ended[i] = get(totals->ended[i]);
	out->n = rs->service->n;
	for (unsigned row = 0; row < out->n; row++) {
		report_target(a, rs->service, row, &out->target[row]);
		out->bytes_in += out->target[row].bytes_in;
		out->bytes_out += out->target[row].bytes_out;
		add_kernel(&out->kernel, &out->target[row].kernel);
	}
	add_former(a, rs, out);
	add_unassigned(a, rs, out);
}
