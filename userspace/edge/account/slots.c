// SPDX-License-Identifier: MIT
/*
 * Which record of the pinned map is whose. User space inserts and deletes records and never writes
 * one that a socket may carry: the kernel programs add to it at any time.
 */
#include "edge/account/slots.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "edge/account/collect.h"
#include "edge/account/identity.h"
#include "edge/account/removed.h"
#include "edge/account/table.h"
#include "lib/base/clock.h"

#define BATCH	       512
#define EVICT_PAUSE_NS NS_PER_SEC

int account_slots_init(struct account_slots *s)
{
	struct account_target *values = calloc(BATCH, sizeof(*values));
	uint64_t *keys = calloc(BATCH, sizeof(*keys));
	uint64_t token = 0;
	bool more = true, first = true;
	int rc = values && keys ? 0 : -ENOMEM;

	while (!rc && more) {
		uint32_t n = BATCH;

		if (bpf_map_lookup_batch(s->table->targets_fd, first ? NULL : &token, &token, keys,
					 values, &n, NULL)) {
			if (errno != ENOENT) {
				rc = -errno;
				break;
			}
			more = false;
		}
		first = false;
		for (uint32_t i = 0; i < n && !rc; i++) {
			rc = slot_table_add_record(s->table, keys[i], &values[i],
						   values[i].index == ACCOUNT_INDEX_REMOVED
							   ? SLOT_REMOVED
							   : SLOT_FOUND);
			if (keys[i] >= s->next_number)
				s->next_number = keys[i] + 1;
		}
	}
	free(values);
	free(keys);
	if (!rc)
		account_removed_init(s->table);
	return rc;
}

/* The oldest record of this identity that nobody holds. */
static struct slot *find_unheld(struct slot_table *table, const struct account_target *want)
{
	uint64_t rule = account_rule_hash(want->scope, want->rule_id);
	uint64_t hash = account_identity_hash(want);
	struct account_target have;
	struct slot *best = NULL;

	for (struct slot *e = NULL; (e = slot_table_find(table, rule, e));)
		if (e->hash == hash && e->state != SLOT_HELD &&
		    (!best || e->number < best->number) &&
		    !bpf_map_lookup_elem(table->targets_fd, &e->number, &have) &&
		    account_identity_equal(want, &have))
			best = e;
	return best;
}

/* Asks for all sockets there are, so not again for each target of a rule that finds no room. */
static bool make_room(struct account_slots *s)
{
	uint64_t now = clock_mono_ns();

	if (now < s->evict_from_ns)
		return false;
	if (account_evict_unclaimed(s->collector))
		return true;
	s->evict_from_ns = now + EVICT_PAUSE_NS;
	return false;
}

static int insert(struct account_slots *s, const struct account_target *t, uint64_t *slot)
{
	struct account_meta m = {.layout = ACCOUNT_LAYOUT};
	uint64_t number = s->next_number;
	uint32_t zero = 0;
	bool retried = false;
	int rc;

	/* The number is spent before it is used: a crash in between leaves a gap, never a twin. */
	m.next_slot = number + 1;
	if (bpf_map_update_elem(s->meta_fd, &zero, &m, BPF_ANY))
		return -errno;
	s->next_number++;
	while (bpf_map_update_elem(s->table->targets_fd, &number, t, BPF_NOEXIST)) {
		if (errno != E2BIG)
			return -errno;
		if (retried || !make_room(s))
			return -ENOSPC;
		retried = true;
	}
	rc = slot_table_add_record(s->table, number, t, SLOT_HELD);
	if (rc) {
		bpf_map_delete_elem(s->table->targets_fd, &number);
		return rc;
	}
	*slot = number;
	return 0;
}

int account_slots_get(struct account_slots *s, const struct account_key *key, uint64_t *slot)
{
	struct account_target want;
	struct slot *e;
	int rc = 0;

	*slot = 0;
	account_identity(&want, s->table->scope, key);
	pthread_mutex_lock(&s->table->lock);
	e = find_unheld(s->table, &want);
	if (e) {
		slot_table_set(s->table, e, SLOT_HELD);
		*slot = e->number;
	} else {
		rc = insert(s, &want, slot);
	}
	pthread_mutex_unlock(&s->table->lock);
	return rc;
}

void account_slots_put(struct account_slots *s, uint64_t slot)
{
	struct account_target t;
	uint64_t rule;

	if (!slot || bpf_map_lookup_elem(s->table->targets_fd, &slot, &t))
		return;
	rule = account_rule_hash(t.scope, t.rule_id);
	pthread_mutex_lock(&s->table->lock);
	for (struct slot *e = NULL; (e = slot_table_find(s->table, rule, e));)
		if (e->number == slot && e->state == SLOT_HELD)
			slot_table_set(s->table, e, SLOT_RETIRED);
	pthread_mutex_unlock(&s->table->lock);
}

void account_slots_drop_rule(struct account_slots *s, uint64_t rule_id)
{
	uint64_t rule = account_rule_hash(s->table->scope, rule_id);
	struct slot *e, *next;

	pthread_mutex_lock(&s->table->lock);
	for (e = slot_table_find(s->table, rule, NULL); e; e = next) {
		next = slot_table_find(s->table, rule, e);
		/* At once, for a rule that takes the id may soon have a sum of its own. */
		if (e->state == SLOT_REMOVED)
			slot_table_delete_record(s->table, e);
		else
			slot_table_set(s->table, e, SLOT_DROPPED);
	}
	pthread_mutex_unlock(&s->table->lock);
}

static bool is_served(const struct slot_table *table, uint64_t rule)
{
	struct slot *e = NULL;

	while ((e = slot_table_find(table, rule, e)))
		if (e->state == SLOT_HELD)
			return true;
	return false;
}

void account_slots_settle(struct account_slots *s)
{
	pthread_mutex_lock(&s->table->lock);
	for (uint32_t i = 0; i < s->table->n; i++) {
		struct slot *e = &s->table->slots[i];

		if (e->state != SLOT_FOUND && e->state != SLOT_REMOVED)
			continue;
		if (!is_served(s->table, e->rule))
			slot_table_set(s->table, e, SLOT_DROPPED);
		else if (e->state == SLOT_FOUND)
			slot_table_set(s->table, e, SLOT_RETIRED);
	}
	pthread_mutex_unlock(&s->table->lock);
}
