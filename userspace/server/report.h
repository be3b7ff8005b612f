/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_REPORT_H
#define PORTUNUS_SERVER_REPORT_H

#include <stdbool.h>
#include <stdint.h>

/* What an edge reports, decoded. Counters are cumulative since the epoch of the edge's counters. */

#define FIGURES_HIST 20

enum figures_basis { BASIS_UNKNOWN, BASIS_ACKED, BASIS_WRITTEN };

/* What the edge's kernel saw of a target, and what the edge adds to it. */
struct kernel_figures {
	enum figures_basis basis;	    /* of the byte figures */
	uint64_t bytes_in, bytes_out;	    /* to the target, to the client */
	uint64_t received_in, received_out; /* bytes, from clients and from the target */
	uint64_t attempted, ok, failed, timed_out, abandoned, pending;
	uint64_t active, resets, retransmits;
	uint64_t srtt_us, connect_us_sum, connect_us_max;
	uint64_t connect_hist[FIGURES_HIST]; /* log2 of microseconds */
	int32_t last_errno;
};

struct target_figures {
	uint32_t index;
	uint32_t consecutive_failures;
	bool failed, drained, has_kernel;
	uint64_t last_failure_ms, last_success_ms; /* 0: never */
	uint64_t health_since_ms, next_check_ms;   /* 0: not known, none */
	uint64_t bytes_in, bytes_out, accepted;
	struct kernel_figures kernel;
};

struct rule_figures {
	uint64_t rule_id;
	uint64_t bytes_in, bytes_out, dns_failures, failovers;
	uint64_t datagrams_in, datagrams_out, flows_dropped;
	uint32_t active_connections, active_flows;
	uint64_t hedge_wins; /* connections carried by a target dialled as a hedge */
	bool has_kernel;
	struct kernel_figures kernel;
	uint32_t n_targets;
	struct target_figures targets[];
};

#endif
