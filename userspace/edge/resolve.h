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
 * time a name that somebody was told to wait for has got its answer. NULL for memory or when c-ares
 * does not start (logged). Main thread.
 */
struct resolver *resolve_new(struct event_base *base, void (*ready)(void *arg), void *arg);
void resolve_free(struct resolver *r);

/*
 * The addresses of @host ("name", "192.0.2.1" or "[2001:db8::1]") with @port, the preferred family
 * first, the server's order kept within a family. Returns
 *   0           @out is filled in, n >= 1;
 *   -EAGAIN     not known yet, a query is under way; ask again after the next ready();
 *   -ENOENT     the name has no address, or does not exist (cached for 3 s);
 *   -ETIMEDOUT  the name servers did not answer (cached for 3 s);
 *   -EBUSY      too many lookups at once: ours, not the target's fault.
 * Literals never wait. Any thread; takes one mutex for a few dozen nanoseconds.
 */
int resolve_lookup(struct resolver *r, const char *host, uint16_t port, bool prefer_ipv6,
		   struct resolve_addrs *out);

#endif
