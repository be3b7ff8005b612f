/* SPDX-License-Identifier: MIT */
/* What the kernel relay has of one worker, and of the process. */
#ifndef PORTUNUS_EDGE_KERNELRELAY_SHARE_H
#define PORTUNUS_EDGE_KERNELRELAY_SHARE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/queue.h>

#include "edge/conn/core.h"
#include "edge/kernelrelay/programs.h"
#include "edge/kernelrelay/slots.h"
#include "edge/loop/loop.h"

struct relay_conntrack;
struct ring_buffer;

/* What this process keeps of a slot in use. Owned by the worker that has the slot. */
struct relay_held {
	struct conn *conn;	      /* NULL: none, or only lingering */
	LIST_ENTRY(relay_held) entry; /* joined */
	uint64_t taken[2];	      /* bytes that the worker's own counters have, by direction */
	uint64_t probed_ns;	      /* the last probe, 0 for none since the peers were heard of */
	uint8_t probes;
};

/* The kernel relay of the process. Made by the main thread; what follows @ready is there when it is true. */
struct kernel_relay {
	atomic_bool ready;
	struct relay_programs programs;
	struct relay_held *held; /* RELAY_PAIRS of them */
	const char *bpffs, *instance;
	int targets_fd;
	unsigned n_workers;
	struct relay_share *shares[RELAY_WORKERS_MAX]; /* by worker; fixed once they run */
	uint32_t *orphans; /* slots that an earlier process left joined, until they are adopted */
	uint32_t n_orphans;
	uint64_t found_ns;	/* when they were found */
	atomic_ullong ended_ns; /* when a connection last came to its own end */
	char why[256];		/* it cannot be used; "" while nobody asked, or it can */
};

/* A worker's part; the worker's thread. All zero but for its first three members: not begun. */
struct relay_share {
	struct io io; /* of the ring */
	struct conn_kernel hooks;
	struct kernel_relay *relay;
	struct conn_env *env;
	unsigned worker;
	atomic_bool begun; /* written by the worker alone */
	struct ring_buffer *ring;
	int ring_fd; /* the map */
	struct relay_slots slots;
	struct job begin;   /* the process is ready */
	struct job reroute; /* ways may have changed */
	atomic_bool rerouting;
	struct relay_conntrack *conntrack; /* NULL: nobody tracks connections here */
	struct timer tick;
	LIST_HEAD(, relay_held) joined;
} __attribute__((aligned(64)));

/* The slots of a worker; the last one has what is left of a division. */
static inline uint32_t relay_slots_first(const struct kernel_relay *k, unsigned worker)
{
	return RELAY_PAIRS / k->n_workers * worker;
}

static inline uint32_t relay_slots_end(const struct kernel_relay *k, unsigned worker)
{
	return worker + 1 < k->n_workers ? relay_slots_first(k, worker + 1) : RELAY_PAIRS;
}

static inline struct relay_share *relay_share_of(const struct kernel_relay *k, uint32_t slot)
{
	uint32_t worker = slot / (RELAY_PAIRS / k->n_workers);

	return k->shares[worker < k->n_workers ? worker : k->n_workers - 1];
}

static inline struct relay_pair *relay_pair_of(const struct relay_share *s, uint32_t slot)
{
	return &s->relay->programs.pairs[slot];
}

static inline struct relay_held *relay_held_of(const struct relay_share *s, uint32_t slot)
{
	return &s->relay->held[slot];
}

/* The slot of a connection that has one. */
static inline uint32_t relay_slot_of(const struct conn *c)
{
	return c->kernel_slot - 1;
}

static inline uint64_t relay_state_of(const struct relay_pair *p)
{
	return RELAY_STATE(__atomic_load_n(&p->word, __ATOMIC_SEQ_CST));
}

#endif
