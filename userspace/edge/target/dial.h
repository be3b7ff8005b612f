/* SPDX-License-Identifier: MIT */
/* Dialling one target: all addresses of its name, one time limit, one verdict. */
#ifndef PORTUNUS_EDGE_TARGET_DIAL_H
#define PORTUNUS_EDGE_TARGET_DIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "edge/loop/loop.h"
#include "edge/loop/slab.h"
#include "edge/resolve/waiter.h"
#include "edge/target/connect.h"
#include "lib/base/clock.h"

struct account;
struct dial;
struct resolver;
struct source;
struct target;

/* A name's addresses are started this far apart (RFC 8305 calls it the connection attempt delay), or
 * closer together where all of them would not fit the time. */
#define DIAL_STAGGER_NS (250 * NS_PER_MS)
/* Connects of one dial that are under way at a time. */
#define DIAL_TRIES 7
/* Losers of a hedge that may go on to their own result, per target and worker. */
#define DIAL_DETACHED_MAX 8

/* What one worker's dials share. Owned by its thread. */
struct dial_env {
	struct loop *loop;
	struct account *account;
	struct resolver *resolver;
	struct hops *hops; /* shared by all workers */
	struct slab slab;  /* of struct dial */
	LIST_HEAD(, dial) all;
	struct resolve_inbox inbox; /* those of them whose name has news */
	struct job names;	    /* that there are some */
	struct work look;	    /* at them, in shares */
	struct connect_ports local_ports;
	unsigned worker;
};

struct dial_want {
	struct target *target;
	struct source *source; /* where it goes out from; may be NULL */
	uint16_t port;	       /* another one than the target's; 0: its own */
	uint32_t timeout_ms;   /* for the target, all its addresses */
	bool prefer_ipv6;
	uint16_t mss;	 /* of connect_start() */
	unsigned hops;	 /* rules of this edge that lie behind it (hops.h) */
	uint8_t prelude; /* bytes that go before the client's, and are not counted */
	bool probe;	 /* a health check: neither tagged nor counted as an attempt */
	/* A success is not told to the target's health here: whoever gets the fd does, once it is known that
	 * the target keeps it (target_report()). */
	bool own_verdict;
	/*
	 * Whom the sockets' events go to: slots slot .. slot + DIAL_TRIES - 1 of @io, which
	 * passes them on with dial_event(). So the winner's fd stays as it is registered.
	 * NULL: the dial handles its events itself.
	 */
	struct io *io;
	unsigned slot;
	/* Called once, never from dial_start(): a connected fd, now the callee's, or -errno.
	 * @d is gone after it. */
	void (*done)(struct dial *d, int result);
	void *arg;
};

void dial_env_init(struct dial_env *env);
/* Abandons what is pending, at the end; done() gets -ECANCELED and must not dial again. */
void dial_abandon_all(struct dial_env *env);
/* After the loop has buried its dead. */
void dial_env_close(struct dial_env *env);

/*
 * Dials one target: its addresses in order, DIAL_STAGGER_NS apart or as soon as one fails, until
 * one connects or the time is over. What does not work is tried last the next time, and when nothing
 * does the name is asked for again. The result goes to the target's health and counters here, for
 * clients and probes alike; our own errors (dial_is_ours) never do.
 *
 * Returns the dial, or NULL with *result set to a fd that is connected already or to -errno: then
 * done() is not called. Holds a reference of the target and of the source. Worker's thread.
 */
struct dial *dial_start(struct dial_env *env, const struct dial_want *want, int *result);

/* Passes on an event of slot want.slot + @index. */
void dial_event(struct dial *d, unsigned index, uint32_t events);

/*
 * Asks the sockets (and the resolver) themselves for what an event may still wait to tell. Returns
 * false when the dial has ended by that: done() was called. Before every verdict by time.
 */
bool dial_look(struct dial *d);

/* The slot of the fd that done() was given. */
unsigned dial_slot(const struct dial *d);
/* Events seen on it so far, EPOLLOUT included. */
uint32_t dial_events(const struct dial *d);

void *dial_arg(const struct dial *d);

/*
 * Nobody waits for the result any more, but it is still evidence: the dial runs to its own end,
 * unless DIAL_DETACHED_MAX of its target do so already; then it is abandoned. Without this a
 * black-holed primary that loses every race to its hedge would never become Failed.
 */
void dial_detach(struct dial *d);

/* Closes the sockets at once; counts as neither success nor failure. */
void dial_abandon(struct dial *d);

/* Looks again for those whose name has news, over the next turns. The inbox sees to that. */
void dial_names_ready(struct dial_env *env);

/* Whether the error (positive) that a dial ended with says something about this host, not about the
 * target. */
static inline bool dial_is_ours(int err)
{
	return connect_error_is_ours(err, true);
}

#endif
