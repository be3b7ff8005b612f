// SPDX-License-Identifier: MIT
/* The slots of one worker: given out, and not again before the last packet of their tuples is gone. */
#include "edge/kernelrelay/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int relay_slots_init(struct relay_slots *s, uint32_t first, uint32_t end)
{
	memset(s, 0, sizeof(*s));
	s->first = first;
	s->end = end;
	s->next = calloc(end - first, sizeof(*s->next));
	s->until_ns = calloc(end - first, sizeof(*s->until_ns));
	if (s->next && s->until_ns)
		return 0;
	relay_slots_close(s);
	return -ENOMEM;
}

void relay_slots_close(struct relay_slots *s)
{
	free(s->next);
	free(s->until_ns);
	s->next = NULL;
	s->until_ns = NULL;
}

static void append(struct relay_slots *s, struct relay_slot_queue *q, uint32_t slot)
{
	s->next[slot - s->first] = 0;
	if (!s->until_ns[slot - s->first])
		s->until_ns[slot - s->first] = 1;
	if (q->tail)
		s->next[q->tail - 1 - s->first] = slot + 1;
	else
		q->head = slot + 1;
	q->tail = slot + 1;
}

static uint32_t take(struct relay_slots *s, struct relay_slot_queue *q)
{
	uint32_t slot = q->head - 1;

	q->head = s->next[slot - s->first];
	if (!q->head)
		q->tail = 0;
	return slot;
}

bool relay_slots_known(const struct relay_slots *s, uint32_t slot)
{
	return s->until_ns[slot - s->first];
}

int64_t relay_slots_get(struct relay_slots *s)
{
	return s->free.head ? (int64_t)take(s, &s->free) : -ENOSPC;
}

void relay_slots_put(struct relay_slots *s, uint32_t slot)
{
	append(s, &s->free, slot);
}

void relay_slots_rest(struct relay_slots *s, uint32_t slot, uint64_t now_ns)
{
	s->until_ns[slot - s->first] = now_ns + RELAY_REST_NS;
	append(s, &s->resting, slot);
}

void relay_slots_linger(struct relay_slots *s, uint32_t slot, uint64_t now_ns)
{
	s->until_ns[slot - s->first] = now_ns + RELAY_LINGER_NS;
	append(s, &s->lingering, slot);
}

static bool is_over(const struct relay_slots *s, const struct relay_slot_queue *q, uint64_t now_ns)
{
	return q->head && s->until_ns[q->head - 1 - s->first] <= now_ns;
}

int64_t relay_slots_over(struct relay_slots *s, uint64_t now_ns)
{
	while (is_over(s, &s->resting, now_ns))
		relay_slots_put(s, take(s, &s->resting));
	return is_over(s, &s->lingering, now_ns) ? (int64_t)take(s, &s->lingering) : -ENOENT;
}
