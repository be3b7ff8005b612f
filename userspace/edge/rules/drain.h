/* SPDX-License-Identifier: MIT */
/* The drain time of a removed rule: its connections go on until it is over. */
#ifndef PORTUNUS_EDGE_RULES_DRAIN_H
#define PORTUNUS_EDGE_RULES_DRAIN_H

struct rule_table;
struct rule_totals;

/*
 * Ends the connections of a removed rule that are still open after the drain time. Takes over the
 * reference to @totals. Main thread.
 */
void drain_begin(struct rule_table *t, struct rule_totals *totals);
/* Ends nothing any more. After the workers have stopped. */
void drain_forget_all(struct rule_table *t);

#endif
