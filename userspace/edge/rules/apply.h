/* SPDX-License-Identifier: MIT */
/* From one set of rules to the next: what differs, and in which order ports, targets and workers change. */
#ifndef PORTUNUS_EDGE_RULES_APPLY_H
#define PORTUNUS_EDGE_RULES_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate_limit;
struct rule;
struct rule_state;
struct rule_table;
struct rule_table_config;

/* An empty table, and the way of its news. Main thread, all of it. NULL for memory. */
struct rule_table *rule_table_new(const struct rule_table_config *config);
/* After the workers have stopped: until then their connections report to it. */
void rule_table_free(struct rule_table *t);

/*
 * Makes @rules the whole set: what is equal stays untouched (sockets, health, counters), what differs
 * is changed in place, what is new is added, the rest is removed. A rule whose port cannot be bound is
 * kept as RULE_FAILED and retried (1 s doubling to 30 s). Returns 0 or -ENOMEM, then nothing changed.
 */
int rule_table_apply(struct rule_table *t, struct rule *const *rules, size_t n);

/*
 * Adds or changes one rule; an equal one is left alone, unless its bind has failed: that is tried
 * again at once. Returns its state, or NULL without memory.
 */
struct rule_state *rule_table_push(struct rule_table *t, const struct rule *rule);

/* Stops listening; connections go on for up to the drain time. -ENOENT if there is no such rule. */
int rule_table_remove(struct rule_table *t, uint64_t rule_id);

/* Takes a target out for new connections, or back in; @kill ends its live ones. -ENOENT, -ERANGE. */
int rule_table_drain_target(struct rule_table *t, uint64_t rule_id, unsigned row, bool drained,
			    bool kill);

/* New connections go to the best target that works again, where that waits to be told. 0, -ENOENT. */
int rule_table_fail_back(struct rule_table *t, uint64_t rule_id);

/* Tries failed binds again at once: an address or a link has changed. */
void rule_table_retry_binds(struct rule_table *t);

/* Stops listening on every port, for good. Connections stay. */
void rule_table_stop_listening(struct rule_table *t);
/* Open connections on all workers. */
unsigned rule_table_connections(const struct rule_table *t);

/*
 * Caps all rules of an owner together, those to come too, and what is open at once; NULL takes the caps
 * away. Returns 1 if that changed what holds, 0, or -ENOMEM.
 */
int rule_table_cap_owner(struct rule_table *t, const char *owner, const struct rate_limit *limit);

/* Gives up slots of targets whose last connection is gone. Call it about once a second. */
void rule_table_housekeeping(struct rule_table *t);

#endif
