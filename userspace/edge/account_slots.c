// SPDX-License-Identifier: MIT
/*
 * Which record of the pinned map is whose. User space inserts and deletes records and never writes
 * one that a socket may carry: the kernel programs add to it at any time.
 */
#include "edge/account_internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

#define BATCH	     512
#define QUIET_ENOUGH 2 /* passes; a retag during one pass can hide a socket from it, not from two */
#define COLLECT_NS   NS_PER_SEC
/* Without iterators; that many passes of them are an hour. */
#define BLIND_COLLECT_NS   (60 * NS_PER_SEC)
#define BLIND_QUIET_ENOUGH (ACCOUNT_LINGER_NS / BLIND_COLLECT_NS + 1)

static int grow(struct slot_table *s)
{
	uint32_t size = s->size ? 2 * s->size : 64;
	struct slot *slots = realloc(s->slots, size * sizeof(*slots));
	uint32_t *buckets;

	if (!slots)
		return -ENOMEM;
	s->slots = slots;
	buckets = calloc(size, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(s->buckets);
	s->buckets = buckets;
	s->n_buckets = size;
	s->size = size;
	for (uint32_t i = 0; i < s->n; i++) {
		struct slot *e = &s->slots[i];
		uint32_t *head = &buckets[e->rule & (size - 1)];

		if (e->state == SLOT_EMPTY)
			continue;
		e->next = *head;
		*head = i + 1;
	}
	return 0;
}

static bool is_leaving(const struct slot *e)
{
	return e->state == SLOT_RETIRED || e->state == SLOT_DROPPED;
}

int slot_table_add(struct slot_table *s, const struct slot *slot)
{
	uint32_t i, *head;

	if (s->free) {
		i = s->free - 1;
		s->free = s->slots[i].next;
	} else {
		int rc = s->n == s->size ? grow(s) : 0;

		if (rc)
			return rc;
		i = s->n++;
	}
	head = &s->buckets[slot->rule & (s->n_buckets - 1)];
	s->slots[i] = *slot;
	s->slots[i].next = *head;
	s->leaving += is_leaving(slot);
	*head = i + 1;
	return 0;
}

struct slot *slot_table_find(const struct slot_table *s, uint64_t rule, const struct slot *after)
{
	uint32_t i;

	if (!s->n_buckets)
		return NULL;
	i = after ? after->next : s->buckets[rule & (s->n_buckets - 1)];
	while (i && s->slots[i - 1].rule != rule)
		i = s->slots[i - 1].next;
	return i ? &s->slots[i - 1] : NULL;
}

void slot_table_set(struct slot_table *s, struct slot *e, enum slot_state state)
{
	s->leaving -= is_leaving(e);
	e->state = (uint8_t)state;
	e->quiet = 0;
	s->leaving += is_leaving(e);
}

void slot_table_remove(struct slot_table *s, struct slot *e)
{
	uint32_t self = (uint32_t)(e - s->slots) + 1;
	uint32_t *p = &s->buckets[e->rule & (s->n_buckets - 1)];

	while (*p != self)
		p = &s->slots[*p - 1].next;
	*p = e->next;
	slot_table_set(s, e, SLOT_EMPTY);
	e->next = s->free;
	s->free = self;
}

void slot_table_free(struct slot_table *s)
{
	free(s->slots);
	free(s->buckets);
	memset(s, 0, sizeof(*s));
}

static int add_record(struct account *a, uint64_t number, const struct account_target *t,
		      enum slot_state state)
{
	return slot_table_add(&a->slots,
			      &(struct slot){.number = number,
					     .rule = account_rule_hash(t->scope, t->rule_id),
					     .hash = account_identity_hash(t),
					     .state = (uint8_t)state});
}

/* Reads the pinned map once, in batches (10,000 records: a few milliseconds). */
int account_slots_init(struct account *a)
{
	struct account_target *values = calloc(BATCH, sizeof(*values));
	uint64_t *keys = calloc(BATCH, sizeof(*keys));
	uint64_t token = 0;
	bool more = true, first = true;
	int rc = values && keys ? 0 : -ENOMEM;

	while (!rc && more) {
		uint32_t n = BATCH;

		if (bpf_map_lookup_batch(a->targets_fd, first ? NULL : &token, &token, keys, values,
					 &n, NULL)) {
			if (errno != ENOENT) {
				rc = -errno;
				break;
			}
			more = false;
		}
		first = false;
		for (uint32_t i = 0; i < n && !rc; i++) {
			rc = add_record(a, keys[i], &values[i],
					values[i].index == ACCOUNT_INDEX_REMOVED ? SLOT_REMOVED
										 : SLOT_FOUND);
			if (keys[i] >= a->next_slot)
				a->next_slot = keys[i] + 1;
		}
	}
	free(values);
	free(keys);
	if (!rc)
		account_removed_init(a);
	return rc;
}

/* The oldest record of this identity that nobody holds. */
static struct slot *find_unheld(struct account *a, const struct account_target *want)
{
	uint64_t rule = account_rule_hash(want->scope, want->rule_id);
	uint64_t hash = account_identity_hash(want);
	struct account_target have;
	struct slot *best = NULL;

	for (struct slot *e = NULL; (e = slot_table_find(&a->slots, rule, e));)
		if (e->hash == hash && e->state != SLOT_HELD &&
		    (!best || e->number < best->number) &&
		    !bpf_map_lookup_elem(a->targets_fd, &e->number, &have) &&
		    account_identity_equal(want, &have))
			best = e;
	return best;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = ((const struct account_tagged *)a)->slot;
	uint64_t y = ((const struct account_tagged *)b)->slot;

	return (x > y) - (x < y);
}

/* What sockets carry now, sorted by slot; the caller frees it. */
static int tagged_now(struct account *a, struct account_tagged **out, size_t *n)
{
	void *data;
	size_t len;
	int rc = a->tagged ? account_iterate(a->tagged, &data, &len) : -EOPNOTSUPP;

	if (rc)
		return rc;
	*out = data;
	*n = len / sizeof(**out);
	if (*n)
		qsort(*out, *n, sizeof(**out), by_number);
	return 0;
}

static bool in_use(const struct account_tagged *t, size_t n, uint64_t slot)
{
	struct account_tagged key = {.slot = slot};

	return n && bsearch(&key, t, n, sizeof(*t), by_number);
}

bool account_slot_delete(struct account *a, struct slot *e)
{
	if (bpf_map_delete_elem(a->targets_fd, &e->number) && errno != ENOENT) {
		slot_table_set(&a->slots, e, SLOT_DROPPED);
		return false;
	}
	slot_table_remove(&a->slots, e);
	return true;
}

static void let_go(struct account *a, struct slot *e)
{
	if (e->state == SLOT_RETIRED)
		account_remove(a, e);
	else
		account_slot_delete(a, e);
}

/*
 * The pass of the basic build, which cannot see the sockets. A record that may be written has upstream
 * connections, or bytes still move on a client's side; ACCOUNT_LINGER_NS says what is left then. A
 * listener may expect the target for ever, but what it accepts gets another one before it is settled.
 */
static void collect_blindly(struct account *a, uint64_t now)
{
	struct account_target t;

	if (now - a->collected_ns < BLIND_COLLECT_NS)
		return;
	a->collected_ns = now;
	for (uint32_t i = 0; i < a->slots.n && a->slots.leaving; i++) {
		struct slot *e = &a->slots.slots[i];
		uint64_t bytes;

		if (!is_leaving(e) || bpf_map_lookup_elem(a->targets_fd, &e->number, &t))
			continue;
		bytes = t.bytes_in + t.bytes_out + t.received_in + t.received_out;
		if (t.active || bytes != e->bytes)
			e->quiet = 0;
		else if (++e->quiet >= BLIND_QUIET_ENOUGH)
			let_go(a, e);
		e->bytes = bytes;
	}
	if (a->old_pins)
		account_drop_old_pins(a, now - a->opened_ns >= ACCOUNT_LINGER_NS);
}

void account_collect(struct account *a)
{
	struct account_tagged *t = NULL;
	uint64_t now = clock_mono_ns();
	bool older = false;
	size_t n = 0;

	if (!a->slots.leaving && !a->old_pins)
		return;
	if (!a->tagged) {
		collect_blindly(a, now);
		return;
	}
	if (now - a->collected_ns < COLLECT_NS)
		return;
	a->collected_ns = now;
	if (tagged_now(a, &t, &n))
		return;
	for (uint32_t i = 0; i < a->slots.n && a->slots.leaving; i++) {
		struct slot *e = &a->slots.slots[i];

		if (!is_leaving(e))
			continue;
		if (in_use(t, n, e->number))
			e->quiet = 0;
		else if (++e->quiet >= QUIET_ENOUGH)
			let_go(a, e);
	}
	for (size_t i = 0; i < n; i++)
		older |= t[i].born_ns && t[i].born_ns < a->opened_ns;
	free(t);
	if (a->old_pins)
		account_drop_old_pins(a, !older);
}

/*
 * Makes room: takes away what earlier processes left and no socket carries. One pass is enough, for
 * nobody tags with those slots any more. Whose rules have not asked yet keep their figures, if not
 * by target. Returns whether anything went; with the basic build, which cannot tell, nothing does.
 */
static bool evict_unclaimed(struct account *a)
{
	struct account_tagged *t = NULL;
	bool went = false;
	size_t n = 0;

	if (tagged_now(a, &t, &n))
		return false;
	for (uint32_t i = 0; i < a->slots.n; i++) {
		struct slot *e = &a->slots.slots[i];

		if (e->state == SLOT_FOUND && !in_use(t, n, e->number))
			went |= account_remove(a, e);
	}
	free(t);
	return went;
}

static int insert(struct account *a, const struct account_target *t, uint64_t *slot)
{
	struct account_meta m = {.layout = ACCOUNT_LAYOUT};
	uint64_t number = a->next_slot;
	uint32_t zero = 0;
	bool retried = false;
	int rc;

	/* The number is spent before it is used: a crash in between leaves a gap, never a twin. */
	m.next_slot = number + 1;
	if (bpf_map_update_elem(a->meta_fd, &zero, &m, BPF_ANY))
		return -errno;
	a->next_slot++;
	while (bpf_map_update_elem(a->targets_fd, &number, t, BPF_NOEXIST)) {
		if (errno != E2BIG)
			return -errno;
		if (retried || !evict_unclaimed(a))
			return -ENOSPC;
		retried = true;
	}
	rc = add_record(a, number, t, SLOT_HELD);
	if (rc) {
		bpf_map_delete_elem(a->targets_fd, &number);
		return rc;
	}
	*slot = number;
	return 0;
}

int account_slot_get(struct account *a, const struct account_key *key, uint64_t *slot)
{
	struct account_target want;
	struct slot *e;
	int rc = 0;

	*slot = 0;
	if (a->mode != ACCOUNT_BPF)
		return 0;
	account_identity(&want, a->scope, key);
	pthread_mutex_lock(&a->lock);
	e = find_unheld(a, &want);
	if (e) {
		slot_table_set(&a->slots, e, SLOT_HELD);
		*slot = e->number;
	} else {
		rc = insert(a, &want, slot);
	}
	pthread_mutex_unlock(&a->lock);
	return rc;
}

void account_slot_put(struct account *a, uint64_t slot)
{
	struct account_target t;
	uint64_t rule;

	if (a->mode != ACCOUNT_BPF || !slot || bpf_map_lookup_elem(a->targets_fd, &slot, &t))
		return;
	rule = account_rule_hash(t.scope, t.rule_id);
	pthread_mutex_lock(&a->lock);
	for (struct slot *e = NULL; (e = slot_table_find(&a->slots, rule, e));)
		if (e->number == slot && e->state == SLOT_HELD)
			slot_table_set(&a->slots, e, SLOT_RETIRED);
	pthread_mutex_unlock(&a->lock);
}

void account_slots_drop(struct account *a, uint64_t rule_id)
{
	uint64_t rule = account_rule_hash(a->scope, rule_id);
	struct slot *e, *next;

	if (a->mode != ACCOUNT_BPF)
		return;
	pthread_mutex_lock(&a->lock);
	for (e = slot_table_find(&a->slots, rule, NULL); e; e = next) {
		next = slot_table_find(&a->slots, rule, e);
		/* At once, for a rule that takes the id may soon have a sum of its own. */
		if (e->state == SLOT_REMOVED)
			account_slot_delete(a, e);
		else
			slot_table_set(&a->slots, e, SLOT_DROPPED);
	}
	pthread_mutex_unlock(&a->lock);
}

static bool is_served(const struct account *a, uint64_t rule)
{
	struct slot *e = NULL;

	while ((e = slot_table_find(&a->slots, rule, e)))
		if (e->state == SLOT_HELD)
			return true;
	return false;
}

void account_slots_settled(struct account *a)
{
	if (a->mode != ACCOUNT_BPF)
		return;
	pthread_mutex_lock(&a->lock);
	for (uint32_t i = 0; i < a->slots.n; i++) {
		struct slot *e = &a->slots.slots[i];

		if (e->state != SLOT_FOUND && e->state != SLOT_REMOVED)
			continue;
		if (!is_served(a, e->rule))
			slot_table_set(&a->slots, e, SLOT_DROPPED);
		else if (e->state == SLOT_FOUND)
			slot_table_set(&a->slots, e, SLOT_RETIRED);
	}
	pthread_mutex_unlock(&a->lock);
}
