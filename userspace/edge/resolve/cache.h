/* SPDX-License-Identifier: MIT */
/* The resolver's memory: which addresses a name has, how long that holds, and when to ask. */
#ifndef PORTUNUS_EDGE_RESOLVE_CACHE_H
#define PORTUNUS_EDGE_RESOLVE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/resolve/set.h"
#include "edge/resolve/waiter.h"

#define RESOLVE_NAME_MAX    255 /* RFC 1035, 2.3.4 */
#define RESOLVE_TTL_MIN_S   5
#define RESOLVE_TTL_MAX_S   300
#define RESOLVE_STALE_S	    30
#define RESOLVE_NEGATIVE_S  3
#define RESOLVE_AGAIN_S	    1  /* least time between two questions for a name in doubt … */
#define RESOLVE_AGAIN_MAX_S 32 /* … which doubles up to this while the answer is the same */
#define RESOLVE_FLIGHTS_MAX 128
#define RESOLVE_ENTRIES_MAX 131072 /* as many as there can be targets */

/*
 * What is known of names, which of them are being asked for, and who waits for which. Knows no clock
 * (@now is in nanoseconds, of any clock that never goes back), no thread and no DNS: its owner locks
 * it and asks.
 *
 * A question waits in a queue until it is started: at most @max_flights are, but one that was not
 * answered at once (resolve_cache_slow()) no longer counts. Names whose last question went
 * unanswered have a queue of their own, of which every fourth start is, so that a dead zone does not
 * delay good names.
 */
struct resolve_cache;
struct resolve_entry;

/* NULL for memory. At most @max_entries names. */
struct resolve_cache *resolve_cache_new(size_t max_entries, unsigned max_flights);
/* Nobody waits any more. */
void resolve_cache_free(struct resolve_cache *c);

/*
 * Looks @name up (any case; at most RESOLVE_NAME_MAX long; with a final dot it is another name, an
 * absolute one). Returns what resolve_lookup() does, with @out filled in at 0. It may queue a
 * question: also for an answer that is still good, once it is used in the last fifth of its TTL.
 * With -EAGAIN @w, if there is one, is among those that resolve_entry_waiters() gives out.
 *
 * What has expired is served again as soon as its new question has to wait (queued, or slow):
 * RFC 8767.
 */
int resolve_cache_lookup(struct resolve_cache *c, const char *name, uint64_t now,
			 struct resolve_waiter *w, struct resolve_set *out);

/*
 * The addresses of @name do not work: asks again although they are still good, unless that was done
 * a moment ago (RESOLVE_AGAIN_S). Returns whether a question is under way; then @w waits for it.
 */
bool resolve_cache_again(struct resolve_cache *c, const char *name, uint64_t now,
			 struct resolve_waiter *w);

/* Whether there is a question to start. */
bool resolve_cache_has_queued(const struct resolve_cache *c);

/*
 * The next name to ask the servers for, or NULL. The caller owes it exactly one
 * resolve_cache_answer() or _fail(). Its entry lives as long.
 */
struct resolve_entry *resolve_cache_start(struct resolve_cache *c);

/* The name, in lower case. */
const char *resolve_entry_name(const struct resolve_entry *e);

/* The positive errno of the last question, 0 when it was answered or there was none yet. */
int resolve_entry_error(const struct resolve_entry *e);

/* Whether the question for a name has yet to be started. */
bool resolve_entry_queued(const struct resolve_entry *e);

/* Those who wait for the name: to be told after each of the calls below. */
struct resolve_waiters *resolve_entry_waiters(struct resolve_entry *e);

/* The flight was not answered at once. */
void resolve_cache_slow(struct resolve_cache *c, struct resolve_entry *e);

/* One family is answered, and the other one is slower than who waits should have to: what is known
 * so far holds, and the flight goes on. */
void resolve_cache_partial(struct resolve_entry *e, uint64_t now, const struct resolve_answer *a);

/*
 * Ends a flight by what both families came to. A TTL gets clamped. A family that was not answered
 * keeps what it had, for RESOLVE_STALE_S after its time.
 */
void resolve_cache_answer(struct resolve_cache *c, struct resolve_entry *e, uint64_t now,
			  const struct resolve_answer *a);

/*
 * Ends a flight without addresses. @err is positive. ENOENT is an answer, it replaces what was
 * known. With any other error, addresses once known stay good for RESOLVE_STALE_S after the first
 * failure (or after they expired, if that is later); each question after that is RESOLVE_NEGATIVE_S
 * later at the earliest.
 */
void resolve_cache_fail(struct resolve_cache *c, struct resolve_entry *e, uint64_t now, int err);

/*
 * The flight has taken too long: as if it had failed with ETIMEDOUT, but it stays the name's only
 * flight until it ends, and a late answer is still welcome.
 */
void resolve_cache_late(struct resolve_cache *c, struct resolve_entry *e, uint64_t now);

/* Every name that failed may be asked for again at once: the network has changed. */
void resolve_cache_retry(struct resolve_cache *c);

#endif
