// SPDX-License-Identifier: MIT
/*
 * What a rule got by targets that it no longer has: one record of the pinned map, named "(removed)",
 * so that the rule's totals go on over a restart.
 *
 * The kernel programs no longer write a record that no socket carries. So user space can rewrite it,
 * in one step, as the sum of itself and of the rule's "(removed)" record so far, and then delete that
 * one. A crash between the two steps leaves both, and the later one is known by what it is: each of
 * its figures is at least as large. Nothing is lost or counted twice, and a full map is no obstacle,
 * for no record is ever added.
 */
#include "edge/account/removed.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>

#include "edge/account/identity.h"
#include "edge/account/record.h"
#include "edge/account/table.h"

static bool same_rule(const struct account_target *t, const char *scope, uint64_t rule_id)
{
	return t->rule_id == rule_id && !strncmp(t->scope, scope, sizeof(t->scope));
}

/* A "(removed)" record of the rule of @t other than @but; *out: what is in it. */
static struct slot *find_removed(struct slot_table *table, const struct account_target *t,
				 const struct slot *but, struct account_target *out)
{
	uint64_t rule = account_rule_hash(t->scope, t->rule_id);
	struct slot *e = NULL;

	while ((e = slot_table_find(table, rule, e)))
		if (e != but && e->state == SLOT_REMOVED &&
		    !bpf_map_lookup_elem(table->targets_fd, &e->number, out) &&
		    same_rule(out, t->scope, t->rule_id))
			return e;
	return NULL;
}

/* What is one target's own does not add up; nor does what is open, for no socket is left of it. */
static void become_removed(struct account_target *t)
{
	memset(t->name, 0, sizeof(t->name));
	snprintf(t->name, sizeof(t->name), "(removed)");
	t->port = 0;
	t->index = ACCOUNT_INDEX_REMOVED;
	t->active = 0;
	t->srtt_us = 0;
	t->connect_us = 0;
	t->last_errno = 0;
}

/* The later of two sums: the earlier one is in it. */
static bool is_later(const struct account_target *t, const struct account_target *other)
{
	struct account_record x, y;

	account_record_of(t, &x);
	account_record_of(other, &y);
	return account_record_includes(&x, &y);
}

static void add_record(struct account_target *sum, const struct account_target *t)
{
	struct account_record x, y;

	account_record_of(sum, &x);
	account_record_of(t, &y);
	account_record_add(&x, &y);
	account_record_store(&x, sum);
}

bool account_remove(struct slot_table *table, struct slot *e)
{
	struct account_target t, before;
	struct slot *former;

	/* Nobody here can ask for the figures of another server's rules. */
	if (bpf_map_lookup_elem(table->targets_fd, &e->number, &t) ||
	    strncmp(t.scope, table->scope, sizeof(t.scope)))
		return slot_table_delete_record(table, e);
	former = find_removed(table, &t, e, &before);
	if (former)
		add_record(&t, &before);
	become_removed(&t);
	/* Without memory it stays what it is, and the next pass tries again. */
	if (bpf_map_update_elem(table->targets_fd, &e->number, &t, BPF_EXIST))
		return false;
	e->hash = account_identity_hash(&t);
	slot_table_set(table, e, SLOT_REMOVED);
	return former && slot_table_delete_record(table, former);
}

void account_removed_init(struct slot_table *table)
{
	struct account_target t, other;

	for (uint32_t i = 0; i < table->n; i++) {
		struct slot *e = &table->slots[i], *twin;

		while (e->state == SLOT_REMOVED &&
		       !bpf_map_lookup_elem(table->targets_fd, &e->number, &t) &&
		       (twin = find_removed(table, &t, e, &other)))
			slot_table_delete_record(table, is_later(&t, &other) ? twin : e);
	}
}

void account_removed_sum(struct slot_table *table, uint64_t rule_id, struct account_record *out)
{
	uint64_t rule = account_rule_hash(table->scope, rule_id);
	struct account_target t;
	struct account_record r;
	struct slot *e = NULL;

	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&table->lock);
	while ((e = slot_table_find(table, rule, e))) {
		if (e->state == SLOT_HELD || e->state == SLOT_DROPPED ||
		    bpf_map_lookup_elem(table->targets_fd, &e->number, &t) ||
		    !same_rule(&t, table->scope, rule_id))
			continue;
		account_record_of(&t, &r);
		account_record_add(out, &r);
	}
	pthread_mutex_unlock(&table->lock);
}
