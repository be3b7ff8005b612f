// SPDX-License-Identifier: MIT
/* Which records no socket carries any more, and what becomes of those. */
#include "edge/account/collect.h"

#include <bpf/bpf.h>

#include "edge/account/iterate.h"
#include "edge/account/leftovers.h"
#include "edge/account/removed.h"
#include "edge/account/table.h"

#define QUIET_ENOUGH 2 /* passes; a retag during one pass can hide a socket from it, not from two */
#define COLLECT_NS   NS_PER_SEC
/* Without iterators; that many passes of them are an hour. */
#define BLIND_COLLECT_NS   (60 * NS_PER_SEC)
#define BLIND_QUIET_ENOUGH (ACCOUNT_LINGER_NS / BLIND_COLLECT_NS + 1)

static void let_go(struct slot_table *table, struct slot *e)
{
	if (e->state == SLOT_RETIRED)
		account_remove(table, e);
	else
		slot_table_delete_record(table, e);
}

/*
 * The pass of the basic build, which cannot see the sockets. A record that may be written has upstream
 * connections, or bytes still move on a client's side; ACCOUNT_LINGER_NS says what is left then. A
 * listener may expect the target for ever, but what it accepts gets another one before it is settled.
 */
static void judge_blindly(struct slot_table *table)
{
	struct account_target t;

	for (uint32_t i = 0; i < table->n && table->leaving; i++) {
		struct slot *e = &table->slots[i];
		uint64_t bytes;

		if (!slot_is_leaving(e) || bpf_map_lookup_elem(table->targets_fd, &e->number, &t))
			continue;
		bytes = t.bytes_in + t.bytes_out + t.received_in + t.received_out;
		if (t.active || bytes != e->bytes)
			e->quiet = 0;
		else if (++e->quiet >= BLIND_QUIET_ENOUGH)
			let_go(table, e);
		e->bytes = bytes;
	}
}

/* Only what was leaving when the sockets began to be read: of the others they say nothing. */
static void watch_leaving(struct slot_table *table)
{
	for (uint32_t i = 0; i < table->n && table->leaving; i++)
		table->slots[i].watched = slot_is_leaving(&table->slots[i]);
}

static void judge(struct slot_table *table, const struct account_in_use *used)
{
	for (uint32_t i = 0; i < table->n && table->leaving; i++) {
		struct slot *e = &table->slots[i];

		if (!slot_is_leaving(e) || !e->watched)
			continue;
		if (account_in_use_has(used, e->number))
			e->quiet = 0;
		else if (++e->quiet >= QUIET_ENOUGH)
			let_go(table, e);
	}
}

/* Whether a pass is to be made now, and by this thread alone. */
static bool begin(struct account_collector *c, uint64_t now, bool *old_pins, bool *keep_links)
{
	uint64_t interval = c->tagged_link_fd < 0 ? BLIND_COLLECT_NS : COLLECT_NS;
	bool due;

	pthread_mutex_lock(&c->table->lock);
	due = !c->collecting && (c->table->leaving || c->old_pins) &&
	      now - c->collected_ns >= interval;
	if (due) {
		c->collecting = true;
		c->collected_ns = now;
		watch_leaving(c->table);
	}
	*old_pins = c->old_pins;
	*keep_links = c->keep_links;
	pthread_mutex_unlock(&c->table->lock);
	return due;
}

void account_collect(struct account_collector *c)
{
	uint64_t now = clock_mono_ns();
	bool lingered = now - c->opened_ns >= ACCOUNT_LINGER_NS;
	bool blind = c->tagged_link_fd < 0, old_pins, keep_links;
	struct account_in_use used = {0};
	int rc = 0;

	if (!begin(c, now, &old_pins, &keep_links))
		return;
	if (!blind)
		rc = account_in_use_read(c->tagged_link_fd, &used);
	if (!rc && old_pins) {
		bool idle = blind ? lingered : !account_in_use_since(&used, c->opened_ns);

		account_leftovers_drop(c->pins, c->tagged_prog_fd, idle && !keep_links, lingered);
		old_pins = account_leftovers_found(c->pins);
	}
	pthread_mutex_lock(&c->table->lock);
	if (blind)
		judge_blindly(c->table);
	else if (!rc)
		judge(c->table, &used);
	c->old_pins = old_pins;
	c->collecting = false;
	pthread_mutex_unlock(&c->table->lock);
	account_in_use_free(&used);
}

/* One pass is enough, for nobody tags with those slots any more. Whose rules have not asked yet keep
 * their figures, if not by target. */
bool account_evict_unclaimed(struct account_collector *c)
{
	struct account_in_use used;
	bool went = false;

	if (c->tagged_link_fd < 0 || account_in_use_read(c->tagged_link_fd, &used))
		return false;
	for (uint32_t i = 0; i < c->table->n; i++) {
		struct slot *e = &c->table->slots[i];

		if (e->state == SLOT_FOUND && !account_in_use_has(&used, e->number))
			went |= account_remove(c->table, e);
	}
	account_in_use_free(&used);
	return went;
}
