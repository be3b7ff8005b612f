/* SPDX-License-Identifier: MIT */
/* Connections seen from outside: shown, and ended on request. */
#ifndef PORTUNUS_EDGE_CONN_LIST_H
#define PORTUNUS_EDGE_CONN_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/target/service.h"

struct conn_cursor;
struct conn_env;

/* What a connection looks like from outside. Valid during the callback only. */
struct conn_view {
	const struct service *service; /* the version of the rule it came by */
	const struct target *target;   /* NULL while it is dialling */
	int row; /* of the target in its rule, -1 where it is no longer in it */
	const union addr
		*announced; /* the client, where a balancer has named it; NULL: its socket does */
	int client_fd, target_fd; /* -1 where there is none */
	uint16_t listen_port;	  /* that the client came by */
	uint32_t age_ms;
	uint64_t bytes_in, bytes_out;
	uint64_t kernel_in, kernel_out; /* acknowledged since the kernel relays it */
	int path;			/* enum path_reason */
};

/* Ends with a RST those that @match says; returns how many. Worker's thread, like the other. */
unsigned conn_end_matching(struct conn_env *env, enum end_reason reason,
			   bool (*match)(const struct conn_view *v, const void *arg),
			   const void *arg);

/*
 * Shows connections to @visit, up to @max with each call; returns false when no more are left, and then
 * the cursor is closed. One that is open from the first call to the last is shown exactly once; one
 * that is accepted meanwhile is not shown.
 */
void conn_visit_begin(struct conn_env *env, struct conn_cursor *cursor);
bool conn_visit(struct conn_env *env, struct conn_cursor *cursor, unsigned max,
		void (*visit)(const struct conn_view *v, void *arg), void *arg);
/* Before conn_visit() has returned false. */
void conn_visit_abandon(struct conn_cursor *cursor);

#endif
