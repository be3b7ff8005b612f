/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_APPLY_H
#define PORTUNUS_EDGE_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/ruleset.h"

struct account;
struct edge;
struct event_base;
struct listener;
struct rule;
struct worker;

enum rule_status { RULE_ACTIVE, RULE_FAILED };

/* One rule as this edge serves it. Owned by the table; main thread, but for listener[]. */
struct rule_state {
	struct rule_state *next; /* in its bucket */
	struct edge *edge;
	uint64_t id;
	struct service *service; /* the version in force */
	enum rule_status status;
	bool unconfirmed; /* the server has not named it in this session; the control channel's */
	char reason[32];  /* of RULE_FAILED: port_in_use, permission_denied, bind_failed */
	struct event *retry; /* of a bind that failed */
	unsigned retry_secs;
	uint64_t unassigned_slot; /* for what closed before it had a target */
	/*
	 * What its totals have of targets that it no longer has: those that something here still uses;
	 * after that their records, which are the account's, or without it what was written.
	 */
	struct target *retired;
	uint64_t gone_in, gone_out;
	uint8_t n_listeners;
	uint8_t worker;		     /* of the only listener, where there is one */
	struct listener *listener[]; /* by worker; each touched by its worker's thread alone */
};

struct edge_config {
	struct event_base *base;
	struct account *account;
	struct worker *workers;
	unsigned n_workers;
	unsigned fd_limit;
	uint32_t drain_timeout_ms;
	/* A target's health has changed; main thread. */
	void (*health_changed)(void *arg, struct rule_state *rs, struct target *t,
			       enum health_state to);
	/* The set of rules, or the status of one, has changed; @rs is NULL for the former. */
	void (*rules_changed)(void *arg, struct rule_state *rs);
	void *arg;
};

/* The table of rules and how it reaches the workers. Main thread, all of it. NULL for memory. */
struct edge *edge_new(const struct edge_config *config);
/* After the workers have stopped: until then their connections report to it. */
void edge_free(struct edge *e);

/*
 * Makes @rules the whole set: what is equal stays untouched (sockets, health, counters), what differs
 * is changed in place, what is new is added, the rest is removed. A rule whose port cannot be bound is
 * kept as RULE_FAILED and retried (1 s doubling to 30 s). Returns 0 or -ENOMEM, then nothing changed.
 */
int edge_apply(struct edge *e, struct rule *const *rules, size_t n);

/*
 * Adds or changes one rule; an equal one is left alone, unless its bind has failed: that is tried
 * again at once. Returns its state, or NULL without memory.
 */
struct rule_state *edge_push(struct edge *e, const struct rule *rule);

/* Another rule that listens where @rule would; NULL: none. Walks the table. */
struct rule_state *edge_on_port(struct edge *e, const struct rule *rule);

/* Stops listening; connections go on for up to the drain time. -ENOENT if there is no such rule. */
int edge_remove(struct edge *e, uint64_t rule_id);

struct rule_state *edge_find(struct edge *e, uint64_t rule_id);
/* Calls @visit for every rule, by ascending id. */
void edge_each(struct edge *e, void (*visit)(struct rule_state *rs, void *arg), void *arg);
size_t edge_rules(const struct edge *e);

/* Tries failed binds again at once: an address or a link has changed. */
void edge_retry_binds(struct edge *e);

/* Takes a target out for new connections, or back in; @kill ends its live ones. -ENOENT, -ERANGE. */
int edge_drain_target(struct edge *e, uint64_t rule_id, unsigned row, bool drained, bool kill);

/* Stops listening on every port, for good. Connections stay. */
void edge_stop_listening(struct edge *e);
/* Open connections on all workers. */
unsigned edge_connections(const struct edge *e);

/* Gives up slots of targets whose last connection is gone. Call it about once a second. */
void edge_housekeeping(struct edge *e);

#endif
