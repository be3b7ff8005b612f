/* SPDX-License-Identifier: MIT */
/* When which target is checked; the check itself is a dial on a worker. */
#ifndef PORTUNUS_EDGE_WATCH_PROBE_H
#define PORTUNUS_EDGE_WATCH_PROBE_H

struct rule_table;
struct event_base;
struct prober;
struct target;
struct worker;

/*
 * Checks targets by connecting to them: every target of a rule with an interval, and any Failed one.
 * The connects run on the workers, by the same code as those of clients. A rule whose targets are all
 * healthy and that has no interval schedules nothing. Main thread, all of it. NULL for memory.
 */
struct prober *prober_new(struct event_base *base, struct worker *workers, unsigned n_workers);
/* After the workers have stopped. */
void prober_free(struct prober *p);

/* The set of rules has changed: takes up new targets, lets go of former ones. */
void prober_sync(struct prober *p, struct rule_table *e);

/* A target's health has changed. */
void prober_health_changed(struct prober *p, struct target *t);

/* A link, an address or a route has changed: Failed targets are checked at once. */
void prober_network_changed(struct prober *p);

#endif
