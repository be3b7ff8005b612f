/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_CONN_PRIVATE_H
#define PORTUNUS_EDGE_CONN_PRIVATE_H

/* Shared by conn.c and the conn_*.c files; nobody else looks inside a connection. */

#include <stddef.h>

#include "edge/conn.h"

#define CONN_CLIENT_SLOT 0

enum conn_state { CONN_DIALLING, CONN_RELAYING, CONN_ABORTING, CONN_CLOSED };

/* Direction and leg share an index: half[CLIENT] carries what the client sends. */
enum { CLIENT, TARGET };

struct conn {
	struct io io;
	struct conn_env *env;
	struct conn *next, **prev;
	struct service *service;
	struct target *target; /* once connected */
	union {
		struct dial *dial;    /* while dialling */
		char *peer;	      /* after that: the client's address for the log, or NULL */
		struct corpse corpse; /* when closed */
	};
	struct work work;
	struct timer timer;
	struct half half[2];
	int fd[2];
	uint32_t started_ms; /* by conn_now_ms(); wraps after 49 days, and so does an age */
	uint32_t active_ms;  /* when bytes were last moved */
	uint8_t state;	     /* enum conn_state */
	uint8_t slot;	     /* of the target's fd */
	bool swept;
	bool dead_leg; /* the leg whose end is being passed on as a RST */
	union {
		uint32_t silent_ms[2]; /* while relaying: by leg, see peer_is_dead(); 0 for not */
		struct {	       /* once a leg was reset */
			uint32_t delivered; /* of what it sent, to the other leg's peer */
			uint32_t since_ms;  /* how long that has been as it is */
		} stall;
	};
};

/* What an idle connection costs (Documentation/performance.md). */
_Static_assert(sizeof(struct conn) <= 192, "a connection fits three cache lines");

/* The walk over a rule's targets; given back when one has won. */
struct dial {
	struct conn *conn;
	struct dial *next, **prev;
	struct timer timer;
	uint64_t expected_slot; /* of accounting; the client's socket has it from birth */
	uint64_t deadline_ns;	/* of the whole walk */
	struct upstream *try[RULE_TARGETS_MAX]; /* by row */
	uint8_t dialled;			/* rows, a bit each */
	uint8_t pending;			/* tries without a result */
	uint8_t beside[RULE_TARGETS_MAX]; /* by row: which rows were pending when it was begun */
	char *peer;			  /* the client's address, while that will be logged */
	bool ours, theirs;		  /* a try failed by this host's fault, by the target's */
};

#define container(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* The loop's clock in milliseconds. */
static inline uint32_t conn_now_ms(const struct conn_env *env)
{
	return (uint32_t)(env->loop->now_ns / NS_PER_MS);
}

/* The only exit. An end that was not orderly is passed on as a RST to whoever is still there. */
void conn_close(struct conn *c, enum end_reason reason);

/* conn_walk.c: dials the first candidate of c->dial, which is filled in but for that. */
void conn_walk_begin(struct conn *c);
/* An event of an upstream slot while dialling. */
void conn_walk_event(struct conn *c, unsigned slot, uint32_t events);
/* Gives the walk back: its pending dials are abandoned, or left to their own result. */
void conn_walk_end(struct conn *c, bool abandon);

/* conn_relay.c: a target is connected (c->target, c->fd[TARGET]), @events were seen on its socket. */
void conn_relay_begin(struct conn *c, uint32_t events);
/* Events of a leg, CLIENT or TARGET: noted only (while dialling), or acted upon. */
void conn_note_events(struct conn *c, int leg, uint32_t events);
void conn_relay_event(struct conn *c, int leg, uint32_t events);
void conn_on_timer(struct timer *timer);
void conn_on_work(struct work *work);

#endif
