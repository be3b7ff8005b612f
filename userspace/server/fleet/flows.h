/* SPDX-License-Identifier: MIT */
/* The flows of UDP rules: asked of their edges, for whoever waits for them. */
#ifndef PORTUNUS_SERVER_FLEET_FLOWS_H
#define PORTUNUS_SERVER_FLEET_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/fleet/error.h"

struct fleet;
struct fleet_rule;
struct session;

#define FLOW_LIST_MAX	       1000
#define FLOW_LIST_TIMEOUT_SECS 2
#define FLOW_LIST_WAITERS_MAX  4 /* of a session: as many as an edge answers at a time */

/* One flow, as its edge sees it. Texts are borrowed. */
struct flow_row {
	const char *client, *target; /* target "": none yet */
	uint16_t listen_port;
	uint64_t age_ms, idle_ms, datagrams_in, datagrams_out, bytes_in, bytes_out;
};

/* The answer, once; @err is NULL, or says why there is none. Nothing of it lives longer. */
typedef void flows_fn(void *arg, const struct flow_row *rows, size_t n, bool more,
		      const struct fleet_error *err);

/* Asks the edge of a rule. @done may be called from here. */
void fleet_flows(struct fleet *f, struct fleet_rule *r, flows_fn *done, void *arg);

/* For the session's events. */
void flows_on_list(struct session *s, uint64_t serial, const struct flow_row *rows, size_t n,
		   bool more);
void flows_on_session_end(struct session *s);

#endif
