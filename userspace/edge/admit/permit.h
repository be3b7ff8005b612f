/* SPDX-License-Identifier: MIT */
/* The bytes that a connection may move now, and its turn when it has to wait for more. */
#ifndef PORTUNUS_EDGE_ADMIT_PERMIT_H
#define PORTUNUS_EDGE_ADMIT_PERMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "edge/admit/admit.h"
#include "edge/loop/loop.h"
#include "edge/loop/slab.h"

/* Nobody caps it. */
#define PERMIT_ALL SIZE_MAX

/* Bytes that one direction has booked with the envelopes that cap it, for later. */
struct booking {
	uint64_t start_ns; /* from when on they may be moved */
	uint64_t since_ns; /* when the waiting began */
	uint32_t bytes;	   /* 0: none */
	uint8_t who;	   /* the envelopes, a bit each; */
	uint8_t late;	   /* … of these those that it waits for */
	unsigned version[ADMIT_ENVELOPES];
};

/* A connection that has had to wait. One that never has needs none. Owned by its worker's thread. */
struct permit {
	LIST_ENTRY(permit) entry;
	struct permits *all;
	const struct admission *admission;
	struct timer timer;
	struct work *wake; /* the connection's, which asks again */
	struct booking direction[2];
};

/* Those of one worker. */
struct permits {
	struct loop *loop;
	unsigned worker;
	struct slab slab;
	LIST_HEAD(, permit) list;
};

void permits_init(struct permits *all, struct loop *loop, unsigned worker);
void permits_close(struct permits *all);
/* Caps have changed: whoever booked under the former ones asks anew. */
void permits_recheck(struct permits *all);

/* What a connection asks with. All of it outlives its permit. */
struct permit_want {
	const struct admission *admission;
	unsigned direction;
	int fd; /* that is read from */
	struct work *wake;
};

/*
 * How many bytes may be read from a socket that has some now. PERMIT_ALL: as many as there are. 0: none,
 * and @want->wake is queued once there may be; whoever is woken asks for each direction that waits. *@p is
 * made when it is needed first. What was not used of the answer goes back with permit_return(), before
 * anything else is asked.
 */
size_t permit_budget(struct permits *all, struct permit **p, const struct permit_want *want);
void permit_return(struct permits *all, const struct permit_want *want, size_t unused);

/* Nothing more is to be moved in that direction: what it has booked is given back. @p may be NULL. */
void permit_cancel(struct permit *p, unsigned direction);

/* Whether it waits for a turn, in whichever direction. @p may be NULL. */
bool permit_waits(const struct permit *p);

/* The connection has ended: what it booked is given back. @p may be NULL. */
void permit_free(struct permit *p);

#endif
