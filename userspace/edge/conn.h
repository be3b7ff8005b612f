/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_CONN_H
#define PORTUNUS_EDGE_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/relay.h"
#include "edge/ruleset.h"
#include "edge/slab.h"
#include "edge/upstream.h"

struct conn;
struct dial;

/* What the connections of one worker share. Owned by its thread. */
struct conn_env {
	struct loop *loop;
	struct account *account;
	struct upstream_env upstream;
	struct relay_env relay;
	struct slab conns, dials;
	struct conn *head;    /* all connections, the youngest first */
	struct dial *dialing; /* those that have no target yet */
	atomic_uint n;	      /* written by its thread, read by others */
	bool fast_syn;
	struct conn *sweep_next; /* where the sweep goes on; moved along when that one closes */
	uint32_t sweep_limit_ms; /* see conn_sweep() */
};

/* What a connection looks like from outside. Valid during the callback only. */
struct conn_view {
	const struct service *service; /* the version of the rule it came by */
	const struct target *target;   /* NULL while it is dialling */
	int row;		  /* of the target in its rule, -1 where it is no longer in it */
	int client_fd, target_fd; /* -1 where there is none */
	uint32_t age_ms;
	uint64_t bytes_in, bytes_out;
};

int conn_env_init(struct conn_env *env);
void conn_env_close(struct conn_env *env);

/*
 * Takes over an accepted, non-blocking socket and dials the rule's targets. @expected_slot is what
 * its listener was tagged with. Worker's thread, like all of these.
 */
void conn_new(struct conn_env *env, struct service *service, int fd, uint64_t expected_slot);

/* Lets dials that wait for a hedge look at the targets again: one has changed its health. */
void conn_health_changed(struct conn_env *env);

/* Ends with a RST those that @match says; returns how many. */
unsigned conn_end_matching(struct conn_env *env, enum end_reason reason,
			   bool (*match)(const struct conn_view *v, const void *arg),
			   const void *arg);

/*
 * Shows up to @max connections to @visit, from the @*cursor-th on; advances it. Returns false when
 * that was the last one.
 */
bool conn_visit(struct conn_env *env, unsigned *cursor, unsigned max,
		void (*visit)(const struct conn_view *v, void *arg), void *arg);

/*
 * The sweep for peers that vanished: looks at up to @max connections, from where the last call ended;
 * returns false at the end of the round. One that has unacknowledged or unsent data and has heard
 * nothing from that peer for sweep_limit_ms, zero-window probes' answers included, is ended.
 * TCP_USER_TIMEOUT would not do: it also kills a living peer that has stopped reading. The first
 * look at a connection also turns on keep-alive on both legs.
 */
bool conn_sweep(struct conn_env *env, unsigned max);

#endif
