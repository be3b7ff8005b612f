/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_RESOLVE_CACHE_H
#define PORTUNUS_EDGE_RESOLVE_CACHE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/resolve.h"

#define RESOLVE_NAME_MAX    255 /* RFC 1035, 2.3.4 */
#define RESOLVE_TTL_MIN_S   5
#define RESOLVE_TTL_MAX_S   300
#define RESOLVE_STALE_S	    30
#define RESOLVE_NEGATIVE_S  3
#define RESOLVE_FLIGHTS_MAX 64
#define RESOLVE_ENTRIES_MAX 8192

/*
 * The addresses of one name, each family in the order in which the server gave it. As many of each
 * as a caller can ever get, so that which of A and AAAA was answered first makes no difference.
 */
struct resolve_set {
	uint8_t n4, n6;
	struct in_addr v4[RESOLVE_ADDRS_MAX];
	struct in6_addr v6[RESOLVE_ADDRS_MAX];
};

/* Adds an IPv4 or IPv6 address; one that is there already, or that finds no room, is ignored. A
 * mapped address counts as IPv4. */
void resolve_set_add(struct resolve_set *s, const struct sockaddr *sa);

/* Fills @out, the preferred family first. Of more than RESOLVE_ADDRS_MAX the first are kept, but
 * the last place goes to the other family when it has any address. */
void resolve_set_order(const struct resolve_set *s, uint16_t port, bool prefer_ipv6,
		       struct resolve_addrs *out);

/*
 * What is known of names, and which of them are being asked for. Knows no clock (@now is in
 * nanoseconds, of any clock that never goes back), no thread and no DNS: its owner locks it.
 */
struct resolve_cache;
struct resolve_entry;

/* NULL for memory. At most @max_entries names, of which @max_flights are asked for at a time. */
struct resolve_cache *resolve_cache_new(size_t max_entries, unsigned max_flights);
void resolve_cache_free(struct resolve_cache *c);

/*
 * Looks @name up (any case; at most RESOLVE_NAME_MAX long). Returns what resolve_lookup() does,
 * with @out filled in at 0. When it is time to ask the servers, *@start gets the name's entry, and
 * the caller owes it exactly one resolve_cache_answer(), _fail() or _abort(); otherwise it gets
 * NULL. Asking can be due with any return value but -EBUSY: an answer that is still good is
 * refreshed once it is used in the last fifth of its TTL.
 */
int resolve_cache_lookup(struct resolve_cache *c, const char *name, uint64_t now,
			 struct resolve_set *out, struct resolve_entry **start);

/* The name, in lower case. Lives as long as the flight. */
const char *resolve_entry_name(const struct resolve_entry *e);

/* The positive errno of the last query, 0 when it was answered or there was none yet. */
int resolve_entry_error(const struct resolve_entry *e);

/*
 * Ends a flight with addresses; an empty @set means ENOENT. @ttl is in seconds and gets clamped.
 * Returns whether somebody was told to wait for it. So do the two below.
 */
bool resolve_cache_answer(struct resolve_cache *c, struct resolve_entry *e, uint64_t now,
			  uint32_t ttl, const struct resolve_set *set);

/*
 * Ends a flight without addresses. @err is positive. ENOENT is an answer, it replaces what was
 * known. With any other error, addresses once known stay good for RESOLVE_STALE_S after the first
 * failure (or after they expired, if that is later); each query after that is RESOLVE_NEGATIVE_S
 * later at the earliest.
 */
bool resolve_cache_fail(struct resolve_cache *c, struct resolve_entry *e, uint64_t now, int err);

/*
 * The flight has taken too long: as if it had failed with ETIMEDOUT, but it stays the name's only
 * flight until it ends, and a late answer is still welcome.
 */
bool resolve_cache_late(struct resolve_cache *c, struct resolve_entry *e, uint64_t now);

/* The query could not even be made; the entry stays as it was, and nobody was told to wait. */
void resolve_cache_abort(struct resolve_cache *c, struct resolve_entry *e);

/* Every name that failed may be asked for again at once: the network has changed. */
void resolve_cache_retry(struct resolve_cache *c);

#endif
