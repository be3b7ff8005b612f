// SPDX-License-Identifier: MIT
/*
 * Which record of the pinned map is whose. User space inserts and deletes records and never writes
 * one: the kernel programs add to them at any time.
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
		uint32_t *head = &buckets[e->hash & (size - 1)];

		if (e->state == SLOT_EMPTY)
			continue;
		e->next = *head;
		*head = i + 1;
	}
	return 0;
}

int slot_table_add(struct slot_table *s, uint64_t number, uint64_t hash, enum slot_state state)
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
	head = &s->buckets[hash & (s->n_buckets - 1)];
	s->slots[i] = (struct slot){number, hash, *head, (uint8_t)state, 0};
	*head = i + 1;
	return 0;
}

struct slot *slot_table_find(const struct slot_table *s, uint64_t hash, const struct slot *after)
{
	uint32_t i;

	if (!s->n_buckets)
		return NULL;
	i = after ? after->next : s->buckets[hash & (s->n_buckets - 1)];
	while (i && s->slots[i - 1].hash != hash)
		i = s->slots[i - 1].next;
	return i ? &s->slots[i - 1] : NULL;
}

void slot_table_remove(struct slot_table *s, struct slot *e)
{
	uint32_t self = (uint32_t)(e - s->slots) + 1;
	uint32_t *p = &s->buckets[e->hash & (s->n_buckets - 1)];

	while (*p != self)
		p = &s->slots[*p - 1].next;
	*p = e->next;
	if (e->state == SLOT_RETIRED)
		s->retired--;
	e->state = SLOT_EMPTY;
	e->next = s->free;
	s->free = self;
}

void slot_table_free(struct slot_table *s)
{
	free(s->slots);
	free(s->buckets);
	memset(s, 0, sizeof(*s));
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
			rc = slot_table_add(&a->slots, keys[i], account_identity_hash(&values[i]),
					    SLOT_FOUND);
			if (keys[i] >= a->next_slot)
				a->next_slot = keys[i] + 1;
		}
	}
	free(values);
	free(keys);
	return rc;
}

/* The oldest record of this identity that nobody holds. */
static struct slot *find_unheld(struct account *a, const struct account_target *want, uint64_t hash)
{
	struct account_target have;
	struct slot *best = NULL;

	for (struct slot *e = NULL; (e = slot_table_find(&a->slots, hash, e));)
		if (e->state != SLOT_HELD && (!best || e->number < best->number) &&
		    !bpf_map_lookup_elem(a->targets_fd, &e->number, &have) &&
		    account_identity_equal(want, &have))
			best = e;
	return best;
}

static void set_state(struct slot_table *s, struct slot *e, enum slot_state state)
{
	s->retired += (state == SLOT_RETIRED) - (e->state == SLOT_RETIRED);
	e->state = (uint8_t)state;
	e->quiet = 0;
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
	int rc = account_iterate(a->tagged, &data, &len);

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

static void delete_record(struct account *a, struct slot *e)
{
	if (!bpf_map_delete_elem(a->targets_fd, &e->number) || errno == ENOENT)
		slot_table_remove(&a->slots, e);
}

void account_collect(struct account *a)
{
	struct account_tagged *t = NULL;
	uint64_t now = clock_mono_ns();
	bool older = false;
	size_t n = 0;

	if ((!a->slots.retired && !a->old_pins) || now - a->collected_ns < COLLECT_NS)
		return;
	a->collected_ns = now;
	if (tagged_now(a, &t, &n))
		return;
	for (uint32_t i = 0; i < a->slots.n && a->slots.retired; i++) {
		struct slot *e = &a->slots.slots[i];

		if (e->state != SLOT_RETIRED)
			continue;
		if (in_use(t, n, e->number))
			e->quiet = 0;
		else if (++e->quiet >= QUIET_ENOUGH)
			delete_record(a, e);
	}
	for (size_t i = 0; i < n; i++)
		older |= t[i].born_ns && t[i].born_ns < a->opened_ns;
	free(t);
	if (a->old_pins)
		account_drop_old_pins(a, !older);
}

/*
 * Makes room: deletes what earlier processes left and no socket carries. One pass is enough, for
 * nobody tags with those slots any more. Returns whether anything went.
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

		if (e->state == SLOT_FOUND && !in_use(t, n, e->number)) {
			delete_record(a, e);
			went = true;
		}
	}
	free(t);
	return went;
}

static int insert(struct account *a, const struct account_target *t, uint64_t hash, uint64_t *slot)
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
	rc = slot_table_add(&a->slots, number, hash, SLOT_HELD);
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
	uint64_t hash;
	int rc = 0;

	*slot = 0;
	if (a->mode != ACCOUNT_BPF)
		return 0;
	account_identity(&want, a->scope, key);
	hash = account_identity_hash(&want);
	pthread_mutex_lock(&a->lock);
	e = find_unheld(a, &want, hash);
	if (e) {
		set_state(&a->slots, e, SLOT_HELD);
		*slot = e->number;
	} else {
		rc = insert(a, &want, hash, slot);
	}
	pthread_mutex_unlock(&a->lock);
	return rc;
}

void account_slot_put(struct account *a, uint64_t slot)
{
	struct account_target t;

	if (a->mode != ACCOUNT_BPF || !slot || bpf_map_lookup_elem(a->targets_fd, &slot, &t))
		return;
	pthread_mutex_lock(&a->lock);
	for (struct slot *e = NULL; (e = slot_table_find(&a->slots, account_identity_hash(&t), e));)
		if (e->number == slot && e->state == SLOT_HELD)
			set_state(&a->slots, e, SLOT_RETIRED);
	pthread_mutex_unlock(&a->lock);
}

void account_slots_settled(struct account *a)
{
	if (a->mode != ACCOUNT_BPF)
		return;
	pthread_mutex_lock(&a->lock);
	for (uint32_t i = 0; i < a->slots.n; i++)
		if (a->slots.slots[i].state == SLOT_FOUND)
			set_state(&a->slots, &a->slots.slots[i], SLOT_RETIRED);
	pthread_mutex_unlock(&a->lock);
}
