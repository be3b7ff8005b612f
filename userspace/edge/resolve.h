/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_RESOLVE_H
#define PORTUNUS_EDGE_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"

struct event_base;
struct resolver;

/* As many addresses of one name as are ever tried. */
#define RESOLVE_ADDRS_MAX 7

struct resolve_addrs {
	unsigned n;
	union addr addr[RESOLVE_ADDRS_MAX]; /* ports as asked for */
};

/*
 * A cache of names in front of c-ares, which runs on @base. @ready is called on that thread each
 * time a name that somebody was told to wait for has got its answer; it may look names up, but not
 * call resolve_reload() or resolve_free(). NULL for memory or when c-ares does not start (logged).
 * Main thread.
 *
 * The servers are those of /etc/resolv.conf, read again when the file changes. For tests, the
 * environment variable PORTUNUS_DNS_SERVERS ("127.0.0.1:5353,[::1]:5353") names others.
 * /etc/hosts goes first.
 *
 * How long answers are kept: their TTL, at least 5 s and at most 5 min, the least one of all records
 * and aliases. A name used in the last fifth of that time is asked for in the background. When the
 * servers fail, the old addresses serve 30 s longer. At most 8,192 names, 64 of them being asked for
 * at a time, each once.
 */
struct resolver *resolve_new(struct event_base *base, void (*ready)(void *arg), void *arg);

/* No thread may be in resolve_lookup() or come there any more. Main thread. */
void resolve_free(struct resolver *r);

/*
 * The network has changed: reads /etc/resolv.conf again, repeats what is being asked from the
 * addresses that we have now (at most once a second), and forgets failures. Main thread.
 */
void resolve_reload(struct resolver *r);

/*
 * The addresses of @host ("name", "192.0.2.1" or "[2001:db8::1]") with @port, the preferred family
 * first, the server's order kept within a family. Returns
 *   0           @out is filled in, n >= 1;
 *   -EAGAIN     not known yet, a query is under way; ask again after the next ready();
 *   -ENOENT     the name has no address, or does not exist (cached for 3 s);
 *   -ETIMEDOUT  the name servers did not answer within 3 s, or not usably (SERVFAIL, REFUSED,
 *               unreachable), and there is no old answer (cached for 3 s);
 *   -EBUSY      too many lookups at once, or
 *   -ENOBUFS    no memory or descriptors for one: ours, not the target's fault.
 * Literals never wait. Nothing is called back from here, and nothing blocks. Any thread; takes
 * one mutex. A hit takes 0.1 us (measured).
 */
int resolve_lookup(struct resolver *r, const char *host, uint16_t port, bool prefer_ipv6,
		   struct resolve_addrs *out);

#endif
