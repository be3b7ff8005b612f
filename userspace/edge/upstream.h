/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_UPSTREAM_H
#define PORTUNUS_EDGE_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/loop.h"
#include "edge/resolve.h"
#include "edge/slab.h"
#include "lib/clock.h"

struct account;
struct target;
struct upstream;

/* A name's addresses are started this far apart (RFC 8305 calls it the connection attempt delay). */
#define UPSTREAM_STAGGER_NS (250 * NS_PER_MS)
/* Losers of a hedge that may go on to their own result, per target and worker. */
#define UPSTREAM_DETACHED_MAX 8

/* What one worker's dials share. Owned by its thread. */
struct upstream_env {
	struct loop *loop;
	struct account *account;
	struct resolver *resolver;
	struct slab slab; /* of struct upstream */
	struct upstream *all;
	struct upstream *waiting; /* those of them that wait for a name */
	unsigned worker;
};

struct upstream_want {
	struct target *target;
	uint32_t timeout_ms; /* for the target, all its addresses */
	bool prefer_ipv6;
	bool probe; /* a health check: neither tagged nor counted as an attempt */
	/*
	 * Whom the sockets' events go to: slots slot .. slot + RESOLVE_ADDRS_MAX - 1 of @io, which
	 * passes them on with upstream_event(). So the winner's fd stays as it is registered.
	 * NULL: the dial handles its events itself.
	 */
	struct io *io;
	unsigned slot;
	/* Called once, never from upstream_start(): a connected fd, now the callee's, or -errno.
	 * @up is gone after it. */
	void (*done)(struct upstream *up, int result);
	void *arg;
};

void upstream_env_init(struct upstream_env *env);
/* Abandons what is pending, at the end; done() gets -ECANCELED and must not dial again. */
void upstream_abandon_all(struct upstream_env *env);
/* After the loop has buried its dead. */
void upstream_env_close(struct upstream_env *env);

/*
 * Dials one target: its addresses in order, UPSTREAM_STAGGER_NS apart or as soon as one fails, until
 * one connects or the time is up. The result goes to the target's health and counters here, for
 * clients and probes alike; our own errors (upstream_is_ours) never do.
 *
 * Returns the dial, or NULL with *result set to a fd that is connected already or to -errno: then
 * done() is not called. Holds a reference of the target. Worker's thread.
 */
struct upstream *upstream_start(struct upstream_env *env, const struct upstream_want *want,
				int *result);

/* Passes on an event of slot want.slot + @index. */
void upstream_event(struct upstream *up, unsigned index, uint32_t events);

/* The slot of the fd that done() was given. */
unsigned upstream_slot(const struct upstream *up);
/* Events seen on it so far, EPOLLOUT included. */
uint32_t upstream_events(const struct upstream *up);

void *upstream_arg(const struct upstream *up);
struct target *upstream_target(const struct upstream *up);

/*
 * Nobody waits for the result any more, but it is still evidence: the dial runs to its own end,
 * unless UPSTREAM_DETACHED_MAX of its target do so already; then it is abandoned. Without this a
 * black-holed primary that loses every race to its hedge would never become Failed.
 */
void upstream_detach(struct upstream *up);

/* Closes the sockets at once; counts as neither success nor failure. */
void upstream_abandon(struct upstream *up);

/* Asks the resolver again for all that wait for a name. */
void upstream_names_ready(struct upstream_env *env);

/* Whether a connect error (positive) says something about this host, not about the target. */
bool upstream_is_ours(int err);

#endif
