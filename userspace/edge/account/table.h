/* SPDX-License-Identifier: MIT */
/* The table of the pinned map's records as user space knows them, found by rule. */
#ifndef PORTUNUS_EDGE_ACCOUNT_TABLE_H
#define PORTUNUS_EDGE_ACCOUNT_TABLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/account.h"

enum slot_state {
	SLOT_EMPTY,
	SLOT_FOUND,   /* pinned by an earlier process, not asked for yet */
	SLOT_HELD,    /* somebody in this process counts with it */
	SLOT_RETIRED, /* given back; joins the removed ones when no socket carries it any more */
	SLOT_DROPPED, /* its rule is gone; is deleted when no socket carries it any more */
	SLOT_REMOVED, /* the sum of a rule's former targets; no socket ever carries it */
};

/* One record of the pinned map, as user space knows it. */
struct slot {
	uint64_t number;
	uint64_t rule;	/* account_rule_hash() of its rule */
	uint64_t hash;	/* of the identity */
	uint32_t next;	/* of its rule; index + 1, 0 ends */
	uint8_t state;	/* enum slot_state */
	uint8_t quiet;	/* passes in a row that saw no socket of it */
	bool watched;	/* leaving since before the pass that is under way began */
	uint64_t bytes; /* moved, as the last pass saw it; without iterators only */
};

struct rule_slots;

/* All records of the pinned map, found by rule. */
struct slot_table {
	pthread_mutex_t
		lock; /* guards all below; held for no longer than a look at every record takes */
	struct slot *slots;
	struct rule_slots *rules; /* a hash table */
	uint32_t n, size, free;
	uint32_t leaving; /* retired and dropped ones: the collector has something to do */
	int targets_fd;	  /* the pinned map */
	char scope[ACCOUNT_SCOPE_LEN]; /* of the rules that are served */
};

void slot_table_init(struct slot_table *s);
void slot_table_free(struct slot_table *s);

/* The rest is called under the lock. A slot's pointer is valid until the next slot_table_add(). */

/* 0 or -ENOMEM. */
int slot_table_add(struct slot_table *s, const struct slot *slot);
/* The next entry of this rule after @after (NULL: the first), or NULL. */
struct slot *slot_table_find(const struct slot_table *s, uint64_t rule, const struct slot *after);
void slot_table_set(struct slot_table *s, struct slot *e, enum slot_state state);
void slot_table_remove(struct slot_table *s, struct slot *e);
bool slot_is_leaving(const struct slot *e);

/* Adds an entry for a record that is in the map. 0 or -ENOMEM. */
int slot_table_add_record(struct slot_table *s, uint64_t number, const struct account_target *t,
			  enum slot_state state);
/* Deletes a record that no socket carries; where the kernel refuses, it is dropped and false returned. */
bool slot_table_delete_record(struct slot_table *s, struct slot *e);

#endif
