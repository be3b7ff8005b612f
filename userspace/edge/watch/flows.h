/* SPDX-License-Identifier: MIT */
/* The list of UDP flows, gathered worker by worker up to a bound. */
#ifndef PORTUNUS_EDGE_WATCH_FLOWS_H
#define PORTUNUS_EDGE_WATCH_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/loop/mailbox.h"
#include "lib/base/addr.h"

struct target;
struct worker;

#define FLOW_ROWS_MAX 1000

/* One flow, as its worker saw it. */
struct flow_row {
	uint64_t rule_id;
	uint16_t listen_port;
	struct target *target; /* a reference, or NULL while a name is asked for */
	union addr client;
	uint64_t age_ms, idle_ms;
	uint64_t datagrams_in, datagrams_out, bytes_in, bytes_out;
};

/* What was gathered so far. Filled on the workers' threads, one after the other; main thread otherwise. */
struct flow_rows {
	struct job job;
	struct mailbox *home; /* the main thread's */
	struct worker *worker;
	void (*arrived)(struct flow_rows *rows); /* main thread */
	void *arg;				 /* the owner's */
	uint64_t rule_id;			 /* 0: of every rule */
	unsigned n;
	bool more; /* there are flows that found no room */
	struct flow_row row[FLOW_ROWS_MAX];
};

/* Adds the flows of @rows->worker and calls arrived(). The rows' references are the caller's then. */
void flow_rows_fetch(struct flow_rows *rows);
/* Gives back the rows' references. */
void flow_rows_clear(struct flow_rows *rows);

#endif
