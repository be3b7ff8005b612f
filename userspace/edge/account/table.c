// SPDX-License-Identifier: MIT
/* The table of the pinned map's records as user space knows them, found by rule. */
#include "edge/account/table.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* what could not be added has no table */
#include <uthash.h>

#include "edge/account/identity.h"

/* The records of one rule: all that a rule asks for is among them. */
struct rule_slots {
	uint64_t rule;
	uint32_t first; /* index + 1 into the slots */
	UT_hash_handle hh;
};

void slot_table_init(struct slot_table *s)
{
	memset(s, 0, sizeof(*s));
	s->targets_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
}

void slot_table_free(struct slot_table *s)
{
	struct rule_slots *r, *next;

	HASH_ITER(hh, s->rules, r, next)
	{
		HASH_DEL(s->rules, r);
		free(r);
	}
	free(s->slots);
	pthread_mutex_destroy(&s->lock);
}

static struct rule_slots *find_rule(const struct slot_table *s, uint64_t rule)
{
	struct rule_slots *r;

	HASH_FIND(hh, s->rules, &rule, sizeof(rule), r);
	return r;
}

static struct rule_slots *find_or_add_rule(struct slot_table *s, uint64_t rule)
{
	struct rule_slots *r = find_rule(s, rule);

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->rule = rule;
	HASH_ADD(hh, s->rules, rule, sizeof(r->rule), r);
	if (!r->hh.tbl) {
		free(r);
		return NULL;
	}
	return r;
}

static int grow(struct slot_table *s)
{
	uint32_t size = s->size ? 2 * s->size : 64;
	struct slot *slots = realloc(s->slots, size * sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	s->slots = slots;
	s->size = size;
	return 0;
}

bool slot_is_leaving(const struct slot *e)
{
	return e->state == SLOT_RETIRED || e->state == SLOT_DROPPED;
}

int slot_table_add(struct slot_table *s, const struct slot *slot)
{
	struct rule_slots *r;
	uint32_t i;

	if (!s->free && s->n == s->size && grow(s))
		return -ENOMEM;
	r = find_or_add_rule(s, slot->rule);
	if (!r)
		return -ENOMEM;
	if (s->free) {
		i = s->free - 1;
		s->free = s->slots[i].next;
	} else {
		i = s->n++;
	}
	s->slots[i] = *slot;
	s->slots[i].next = r->first;
	s->leaving += slot_is_leaving(slot);
	r->first = i + 1;
	return 0;
}

struct slot *slot_table_find(const struct slot_table *s, uint64_t rule, const struct slot *after)
{
	const struct rule_slots *r = after ? NULL : find_rule(s, rule);
	uint32_t i = after ? after->next : r ? r->first : 0;

	return i ? &s->slots[i - 1] : NULL;
}

void slot_table_set(struct slot_table *s, struct slot *e, enum slot_state state)
{
	s->leaving -= slot_is_leaving(e);
	e->state = (uint8_t)state;
	e->quiet = 0;
	e->watched = false;
	s->leaving += slot_is_leaving(e);
}

void slot_table_remove(struct slot_table *s, struct slot *e)
{
	struct rule_slots *r = find_rule(s, e->rule);
	uint32_t self = (uint32_t)(e - s->slots) + 1;
	uint32_t *p = &r->first;

	while (*p != self)
		p = &s->slots[*p - 1].next;
	*p = e->next;
	if (!r->first) {
		HASH_DEL(s->rules, r);
		free(r);
	}
	slot_table_set(s, e, SLOT_EMPTY);
	e->next = s->free;
	s->free = self;
}

int slot_table_add_record(struct slot_table *s, uint64_t number, const struct account_target *t,
			  enum slot_state state)
{
	return slot_table_add(s, &(struct slot){.number = number,
						.rule = account_rule_hash(t->scope, t->rule_id),
						.hash = account_identity_hash(t),
						.state = (uint8_t)state});
}

bool slot_table_delete_record(struct slot_table *s, struct slot *e)
{
	if (bpf_map_delete_elem(s->targets_fd, &e->number) && errno != ENOENT) {
		slot_table_set(s, e, SLOT_DROPPED);
		return false;
	}
	slot_table_remove(s, e);
	return true;
}
