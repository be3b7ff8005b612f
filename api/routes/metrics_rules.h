/* SPDX-License-Identifier: MIT */
/* The figures of rules in Prometheus' text format. */
#ifndef PORTUNUS_API_ROUTES_METRICS_RULES_H
#define PORTUNUS_API_ROUTES_METRICS_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The families that have rows for each rule, "portunus_rule_…", a few rows at a time. */
struct evbuffer;
struct fleet;

struct rule_metrics {
	size_t family;
	bool owners;	/* the rows of owners are written */
	uint64_t after; /* ids above this are still to come in that family */
	bool begun;	/* the family has a row */
};

/* Families sort by name, and others come between these two kinds. */
enum rule_metrics_kind { RULE_METRICS_RULE, RULE_METRICS_TLS };

/* Writes rows of a kind until about @until_ns. True: all are written. @m begins as zeros, and goes on as
 * it is with the next kind. */
bool rule_metrics_write(struct rule_metrics *m, enum rule_metrics_kind kind, struct evbuffer *out,
			struct fleet *fleet, uint64_t until_ns);

#endif
