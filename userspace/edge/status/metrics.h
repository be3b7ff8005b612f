/* SPDX-License-Identifier: MIT */
/* The edge's own figures for Prometheus, with or without a server. */
#ifndef PORTUNUS_EDGE_STATUS_METRICS_H
#define PORTUNUS_EDGE_STATUS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct rule_report;
struct status_config;

/* The figures of one rule that are exported. */
struct metrics_rule {
	uint64_t id, bytes_in, bytes_out, accepted, failovers, dns_failures, denied;
	uint64_t handed_over, in_kernel;
	uint64_t sni_exact, sni_wildcard, sni_fallback;
	uint32_t active;
	uint8_t targets, healthy;
	bool serving;
	bool routed; /* by server name */
};

struct metrics_rule metrics_of(const struct rule_report *r);

/*
 * The edge's own figures in the text format of Prometheus (version 0.0.4): first those of the process
 * and of ports that route by server name, then family by family those of the rules; family() is false when there is no such family any more.
 */
void metrics_process(struct evbuffer *out, const struct status_config *c);
void metrics_sni(struct evbuffer *out, const struct status_config *c);
bool metrics_family(struct evbuffer *out, unsigned family, const struct metrics_rule *rules,
		    size_t n);

#endif
