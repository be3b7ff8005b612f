/* SPDX-License-Identifier: MIT */
/* An edge's figures as the server keeps them. */
#ifndef PORTUNUS_SERVER_FLEET_REPORT_H
#define PORTUNUS_SERVER_FLEET_REPORT_H

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
	bool failed, drained, takes_new, has_kernel;
	char cause[48]; /* of the last failure, in words; "": not known */
	uint64_t last_failure_ms, last_success_ms; /* 0: never */
	uint64_t health_since_ms, next_check_ms;   /* 0: not known, none */
	uint64_t bytes_in, bytes_out, accepted;
	struct kernel_figures kernel;
};

/* Why a cap refused somebody: the wire's numbers less one. */
enum caps_refusal {
	REFUSAL_CONN_CONCURRENT,
	REFUSAL_CONN_RATE,
	REFUSAL_UDP_FLOW_RATE,
	REFUSAL_OWNER_CONCURRENT,
	REFUSAL_OWNER_CONN_RATE,
	REFUSAL_OWNER_UDP_FLOW_RATE,
	CAPS_REFUSALS
};

/* As metrics and answers call it. */
static inline const char *caps_refusal_text(unsigned refusal)
{
	static const char *const texts[CAPS_REFUSALS] = {
		[REFUSAL_CONN_CONCURRENT] = "conn_concurrent",
		[REFUSAL_CONN_RATE] = "conn_rate",
		[REFUSAL_UDP_FLOW_RATE] = "udp_flow_rate",
		[REFUSAL_OWNER_CONCURRENT] = "owner_concurrent",
		[REFUSAL_OWNER_CONN_RATE] = "owner_conn_rate",
		[REFUSAL_OWNER_UDP_FLOW_RATE] = "owner_udp_flow_rate",
	};

	return texts[refusal];
}

/* Of the caps of a rule or of an owner. */
struct caps_figures {
	uint64_t refused[CAPS_REFUSALS];
	uint64_t throttled_us_in, throttled_us_out;
	uint64_t datagrams_dropped;
	uint32_t active_connections;
};

/* One port of a range. */
struct port_figures {
	uint64_t bytes_in, bytes_out, datagrams_in, datagrams_out;
	uint32_t active_connections;
	uint16_t port;
};

struct rule_figures {
	uint64_t rule_id;
	bool has_caps;
	struct caps_figures caps;
	uint64_t bytes_in, bytes_out, dns_failures, failovers;
	uint64_t datagrams_in, datagrams_out, flows_dropped, flows_pending_drops, flows_moved;
	uint32_t active_connections, active_flows;
	uint32_t in_kernel; /* of the connections, those that the kernel relays */
	uint64_t denied;    /* connections and datagrams that allow and deny refused */
	uint64_t sni_exact, sni_wildcard,
		sni_fallback; /* connections by how they came to the rule */
	uint64_t hedge_wins;  /* connections carried by a target dialled as a hedge */
	bool has_kernel;
	struct kernel_figures kernel;
	uint32_t n_ports;
	const struct port_figures *ports; /* by port; kept apart from the rest by who keeps it */
	uint32_t n_targets;
	struct target_figures targets[];
};

#endif
