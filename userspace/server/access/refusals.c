// SPDX-License-Identifier: MIT
/* The rows of the current minute for refusals without a credential. */
#include "server/access/refusals.h"

#include <stdlib.h>
#include <string.h>

#include "server/access/audit_row.h"

#define MINUTE_MS   60000
#define REASONS_MAX 16 /* more rows, for those who came after REFUSALS_MAX, by reason */
#define SLOTS	    (REFUSALS_MAX + REASONS_MAX)

struct slot {
	struct audit_row *copy; /* NULL: free */
	uint64_t minute, times;
	uint64_t seq, stored_times;	     /* of the row in the store; seq 0: none yet */
	uint64_t written_seq, written_times; /* by the transaction that is under way */
};

struct refusals {
	struct slot slot[SLOTS];
};

struct refusals *refusals_new(void)
{
	return calloc(1, sizeof(struct refusals));
}

static void clear(struct slot *s)
{
	free(s->copy);
	memset(s, 0, sizeof(*s));
}

void refusals_free(struct refusals *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		free(r->slot[i].copy);
	free(r);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool stored(const struct slot *s)
{
	return s->seq && s->stored_times == s->times;
}

/* The slot among @n of the row's address and reason in that minute, else a free one; NULL: full. */
static struct slot *slot_of(struct slot *slots, size_t n, const struct store_audit *row,
			    uint64_t minute)
{
	struct slot *room = NULL;

	for (size_t i = 0; i < n; i++) {
		struct slot *s = &slots[i];

		/* A past minute's row is done with once its number of times is stored. */
		if (s->copy && s->minute != minute && stored(s))
			clear(s);
		if (!s->copy)
			room = room ? room : s;
		else if (s->minute == minute && same_text(s->copy->row.reason, row->reason) &&
			 same_text(s->copy->row.remote_addr, row->remote_addr))
			return s;
	}
	return room;
}

bool refusals_note(struct refusals *r, const struct store_audit *row, uint64_t now_ms)
{
	struct store_audit mine = *row;
	uint64_t minute = now_ms / MINUTE_MS;
	struct slot *s = slot_of(r->slot, REFUSALS_MAX, &mine, minute);

	if (!s) {
		mine.remote_addr = NULL;
		s = slot_of(r->slot + REFUSALS_MAX, REASONS_MAX, &mine, minute);
	}
	if (!s)
		return false;
	if (s->copy) {
		s->times++;
		return false;
	}
	mine.at_ms = now_ms;
	s->copy = audit_row_copy(&mine);
	s->minute = minute;
	s->times = 1;
	return s->copy != NULL;
}

bool refusals_pending(const struct refusals *r)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (r->slot[i].copy && !stored(&r->slot[i]))
			return true;
	return false;
}

void refusals_write(struct refusals *r, struct store_tx *tx)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &r->slot[i];

		if (!s->copy || stored(s))
			continue;
		s->written_times = s->times;
		s->copy->row.times = s->times;
		if (s->seq)
			store_audit_set_times(tx, s->seq, s->times);
		else
			store_audit_add(tx, &s->copy->row, &s->written_seq);
	}
}

void refusals_written(struct refusals *r, bool committed)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &r->slot[i];

		if (committed && s->written_times) {
			s->stored_times = s->written_times;
			s->seq = s->seq ? s->seq : s->written_seq;
		}
		s->written_seq = s->written_times = 0;
	}
}
