/* SPDX-License-Identifier: MIT */
/* The slots of one worker: given out, and not again before the last packet of their tuples is gone. */
#ifndef PORTUNUS_EDGE_KERNELRELAY_SLOTS_H
#define PORTUNUS_EDGE_KERNELRELAY_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

/* How long a slot rests: an entry whose packets are forwarded yet (2 MSL), one that was only observed. */
#define RELAY_LINGER_NS (60 * 1000000000ull)
#define RELAY_REST_NS	1000000000ull

struct relay_slot_queue {
	uint32_t head, tail; /* slot + 1 */
};

/* Owned by the worker's thread. */
struct relay_slots {
	uint32_t first, end; /* those of this worker */
	uint32_t *next;	     /* by slot - first: slot + 1 of the next in its queue */
	uint64_t *until_ns;  /* by slot - first; 0: it was in no queue yet */
	struct relay_slot_queue free, resting, lingering;
};

/* 0 or -ENOMEM. No slot is free at first: relay_slots_put() them. */
int relay_slots_init(struct relay_slots *s, uint32_t first, uint32_t end);
void relay_slots_close(struct relay_slots *s);

/* Whether the slot was ever put, or rested or lingered: what an earlier process had in it is over. */
bool relay_slots_known(const struct relay_slots *s, uint32_t slot);

/* A slot, or -ENOSPC. */
int64_t relay_slots_get(struct relay_slots *s);
/* Free at once; after RELAY_REST_NS; after RELAY_LINGER_NS. */
void relay_slots_put(struct relay_slots *s, uint32_t slot);
void relay_slots_rest(struct relay_slots *s, uint32_t slot, uint64_t now_ns);
void relay_slots_linger(struct relay_slots *s, uint32_t slot, uint64_t now_ns);
/* The next one whose lingering is over at @now_ns, or -ENOENT; it is put by the caller. Rests that are
 * over are put by themselves. */
int64_t relay_slots_over(struct relay_slots *s, uint64_t now_ns);

#endif
