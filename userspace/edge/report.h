/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_REPORT_H
#define PORTUNUS_EDGE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/account.h"
#include "edge/apply.h"
#include "edge/health.h"

/* What one target got, as of the last refresh of the kernel's records. */
struct target_report {
	const char *host; /* valid as long as the rule's version */
	uint16_t port;
	uint32_t priority;
	struct health_view health; /* Healthy and all zero for a single-target rule */
	bool drained;
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
	const struct rule *rule; /* valid until the next change of the rule */
	enum rule_status status;
	const char *reason;
	bool monitored;
	bool unconfirmed;	      /* the server has not named it in this session */
	uint64_t bytes_in, bytes_out; /* of all targets, former ones included: never goes down */
	uint32_t active;
	uint64_t accepted, dns_failures, failovers, hedged, untagged;
	uint64_t ended[END_REASONS];
	struct account_record kernel; /* sums; srtt, connect_us and last_errno are not */
	uint8_t n;
	struct target_report target[RULE_TARGETS_MAX]; /* by row */
};

/* Fills in @out. Reads the records as they are: account_refresh() comes before. Main thread. */
void report_rule(struct account *a, const struct rule_state *rs, struct rule_report *out);

#endif
