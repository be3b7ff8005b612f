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
#include "edge/account_internal.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>

#define FIGURES_AT offsetof(struct account_target, bytes_in)
#define FIGURES	   ((sizeof(struct account_target) - FIGURES_AT) / sizeof(uint64_t))

void account_target_add(struct account_target *sum, const struct account_target *t)
{
	sum->bytes_in += t->bytes_in;
	sum->bytes_out += t->bytes_out;
	sum->received_in += t->received_in;
	sum->received_out += t->received_out;
	sum->attempted += t->attempted;
	sum->ok += t->ok;
	sum->failed += t->failed;
	sum->aborted += t->aborted;
	sum->active += t->active;
	sum->resets += t->resets;
	sum->retransmits += t->retransmits;
	sum->connect_us_sum += t->connect_us_sum;
	if (t->connect_us_max > sum->connect_us_max)
		sum->connect_us_max = t->connect_us_max;
	for (unsigned i = 0; i < ACCOUNT_HIST_LEN; i++)
		sum->connect_hist[i] += t->connect_hist[i];
}

/* Of two "(removed)" records of one rule; the first figure that differs decides as all others would. */
bool account_target_includes(const struct account_target *t, const struct account_target *other)
{
	uint64_t x[FIGURES], y[FIGURES];

	memcpy(x, (const char *)t + FIGURES_AT, sizeof(x));
	memcpy(y, (const char *)other + FIGURES_AT, sizeof(y));
	for (size_t i = 0; i < FIGURES; i++)
		if (x[i] != y[i])
			return x[i] > y[i];
	return true;
}

static bool same_rule(const struct account_target *t, const char *scope, uint64_t rule_id)
{
	return t->rule_id == rule_id && !strncmp(t->scope, scope, sizeof(t->scope));
}

/* A "(removed)" record of the rule of @t other than @but; *out: what is in it. */
static struct slot *find_removed(struct account *a, const struct account_target *t,
				 const struct slot *but, struct account_target *out)
{
	uint64_t rule = account_rule_hash(t->scope, t->rule_id);
	struct slot *e = NULL;

	while ((e = slot_table_find(&a->slots, rule, e)))
		if (e != but && e->state == SLOT_REMOVED &&
		    !bpf_map_lookup_elem(a->targets_fd, &e->number, out) &&
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

bool account_remove(struct account *a, struct slot *e)
{
	struct account_target t, before;
	struct slot *former;

	/* Nobody here can ask for the figures of another server's rules. */
	if (bpf_map_lookup_elem(a->targets_fd, &e->number, &t) ||
	    strncmp(t.scope, a->scope, sizeof(t.scope)))
		return account_slot_delete(a, e);
	former = find_removed(a, &t, e, &before);
	if (former)
		account_target_add(&t, &before);
	become_removed(&t);
	/* Without memory it stays what it is, and the next pass tries again. */
	if (bpf_map_update_elem(a->targets_fd, &e->number, &t, BPF_EXIST))
		return false;
	e->hash = account_identity_hash(&t);
	slot_table_set(&a->slots, e, SLOT_REMOVED);
	return former && account_slot_delete(a, former);
}

void account_removed_init(struct account *a)
{
	struct account_target t, other;

	for (uint32_t i = 0; i < a->slots.n; i++) {
		struct slot *e = &a->slots.slots[i], *twin;

		while (e->state == SLOT_REMOVED &&
		       !bpf_map_lookup_elem(a->targets_fd, &e->number, &t) &&
		       (twin = find_removed(a, &t, e, &other)))
			account_slot_delete(a, account_target_includes(&t, &other) ? twin : e);
	}
}

void account_read_removed(struct account *a, uint64_t rule_id, struct account_record *out)
{
	uint64_t rule = account_rule_hash(a->scope, rule_id);
	struct account_target sum = {0}, t;
	struct slot *e = NULL;

	memset(out, 0, sizeof(*out));
	if (a->mode != ACCOUNT_BPF)
		return;
	pthread_mutex_lock(&a->lock);
	while ((e = slot_table_find(&a->slots, rule, e)))
		if (e->state != SLOT_HELD && e->state != SLOT_DROPPED &&
		    !bpf_map_lookup_elem(a->targets_fd, &e->number, &t) &&
		    same_rule(&t, a->scope, rule_id))
			account_target_add(&sum, &t);
	pthread_mutex_unlock(&a->lock);
	account_record_of(&sum, out);
}
