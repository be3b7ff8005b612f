/* SPDX-License-Identifier: MIT */
/* One rule's figures, put together from the kernel's records, the counters and the health. */
#ifndef PORTUNUS_EDGE_WATCH_REPORT_H
#define PORTUNUS_EDGE_WATCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/account/account.h"
#include "edge/rules/table.h"
#include "edge/target/health.h"

/* What one target got, as of the last refresh of the kernel's records. */
struct target_report {
	const char *host; /* valid as long as the rule's version */
	uint16_t port;
	uint32_t priority;
	unsigned weight;
	struct health_view health; /* Healthy and all zero for a single-target rule */
	bool drained, takes_new;
	uint64_t bytes_in, bytes_out; /* acknowledged by the peer (BPF), or written (user space) */
	uint64_t carried;	      /* client connections */
	uint32_t active;
	uint64_t attempted, ok, failed, timed_out, abandoned, local_errors, pending;
	uint32_t connect_us; /* usual connect time, 0 unknown */
	uint64_t slot;
	struct account_record kernel; /* all zero in user-space mode */
};

struct rule_report {
	uint64_t rule_id;
	enum account_mode basis; /* acknowledged bytes, or written ones */
	const struct rule *rule; /* valid until the next change of the rule */
	enum rule_status status;
	const char *reason;
	bool steered; /* one port's sockets serve the whole range */
	bool monitored;
	bool unconfirmed;	      /* the server has not named it in this session */
	uint64_t bytes_in, bytes_out; /* of all targets, former ones included: never goes down */
	uint32_t active;
	uint64_t accepted, dns_failures, failovers, hedged, untagged;
	uint64_t ended[END_REASONS];
	bool limited;		      /* it has caps, or had some that did something */
	struct envelope_figures caps; /* of the rule's own envelope */
	/* Of a rule that shares its port (rules/sni.h): how connections that got a target came to it. */
	bool routed;
	uint64_t sni_exact, sni_wildcard, sni_fallback;
	uint64_t handed_over, in_kernel; /* connections, all and now */
	uint64_t kept[PATH_REASONS];	 /* see struct totals_cell */
	/* Of a UDP rule. */
	uint32_t flows;
	uint64_t datagrams_in, datagrams_out;
	uint64_t flows_dropped, flows_pending_drops, flows_moved, send_dropped;
	struct account_record kernel; /* sums; srtt, connect_us and last_errno are not */
	int current; /* the row that new connections try first, or of those that share them; -1: all are
			drained */
	uint8_t n;
	struct target_report target[RULE_TARGETS_MAX]; /* by row */
};

/* Fills in @out. Reads the records as they are: account_refresh() comes before. Main thread. */
void report_rule(struct account *a, const struct rule_state *rs, struct rule_report *out);

/* How many targets share new connections now. */
static inline unsigned report_taking_new(const struct rule_report *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		n += r->target[i].takes_new;
	return n;
}

static inline unsigned report_healthy(const struct rule_report *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		n += r->target[i].health.state == HEALTH_HEALTHY;
	return n;
}

#endif
