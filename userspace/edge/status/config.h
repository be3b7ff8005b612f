/* SPDX-License-Identifier: MIT */
/* What the local view shows, and whom it asks. */
#ifndef PORTUNUS_EDGE_STATUS_CONFIG_H
#define PORTUNUS_EDGE_STATUS_CONFIG_H

#include <stdint.h>

struct account;
struct control;
struct event_base;
struct kernel_relay;
struct loop_lag;
struct refresher;
struct rule_table;
struct worker;

/* Where the local view is, and what it shows. The strings but @path outlive it. */
struct status_config {
	struct event_base *base;
	struct rule_table *table;
	struct account *account;
	const struct kernel_relay *kernel;
	struct refresher *refresher;
	struct worker *workers;
	unsigned n_workers;
	const char *path;	       /* of the Unix socket; copied */
	const char *metrics;	       /* where to serve /metrics, NULL: nowhere; outlives it */
	const char *instance;	       /* "" for the default one */
	const char *rules_from;	       /* "file PATH", "server HOST:PORT", … */
	const struct loop_lag *lag;    /* of the main loop */
	const char *sandbox;	       /* "on", "incomplete" or "off" */
	const struct control *control; /* NULL: there is no server */
	uint64_t started_unix_ms, started_ns;
};

#endif
