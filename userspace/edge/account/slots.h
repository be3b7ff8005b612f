/* SPDX-License-Identifier: MIT */
/* Which record of the pinned map is whose. */
#ifndef PORTUNUS_EDGE_ACCOUNT_SLOTS_H
#define PORTUNUS_EDGE_ACCOUNT_SLOTS_H

#include <stdint.h>

struct account_collector;
struct account_key;
struct slot_table;

/* Who gets which record. Main thread. */
struct account_slots {
	struct slot_table *table;
	struct account_collector *collector; /* makes room when the map is full */
	int meta_fd;
	uint64_t next_number;
	uint64_t evict_from_ns; /* when making room may be tried again */
};

/* Reads the pinned map once, in batches (10,000 records: a few milliseconds). 0 or -errno. */
int account_slots_init(struct account_slots *s);

/* What account.h says of account_slot_get(), _put(), account_slots_drop() and _settled(). */
int account_slots_get(struct account_slots *s, const struct account_key *key, uint64_t *slot);
void account_slots_put(struct account_slots *s, uint64_t slot);
void account_slots_drop_rule(struct account_slots *s, uint64_t rule_id);
void account_slots_settle(struct account_slots *s);

#endif
