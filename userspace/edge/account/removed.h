/* SPDX-License-Identifier: MIT */
/* What a rule got by targets that it no longer has: in one record of the pinned map. */
#ifndef PORTUNUS_EDGE_ACCOUNT_REMOVED_H
#define PORTUNUS_EDGE_ACCOUNT_REMOVED_H

#include <stdbool.h>
#include <stdint.h>

struct account_record;
struct slot;
struct slot_table;

/*
 * Takes a record that no socket carries out of the map, or makes it its rule's "(removed)" one. Either
 * way the rule's figures stay the same. Returns whether there is one record less. Under the lock.
 */
bool account_remove(struct slot_table *table, struct slot *e);
/* Tells the later from the earlier of two "(removed)" records, which a crash can leave. Under the lock. */
void account_removed_init(struct slot_table *table);
/* Adds up what a rule got by targets that nobody holds any more. Takes the lock. */
void account_removed_sum(struct slot_table *table, uint64_t rule_id, struct account_record *out);

#endif
