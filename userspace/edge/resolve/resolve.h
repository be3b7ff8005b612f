/* SPDX-License-Identifier: MIT */
/* Names for the workers: a locked cache in any thread, the queries for it in the main thread. */
#ifndef PORTUNUS_EDGE_RESOLVE_RESOLVE_H
#define PORTUNUS_EDGE_RESOLVE_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct resolve_addrs;
struct resolve_inbox;
struct resolve_waiter;
struct resolver;

/*
 * A cache of names in front of c-ares, which runs on @base. NULL when it does not start (logged).
 * Main thread.
 *
 * The servers are those of /etc/resolv.conf, read again when the file changes. For tests, the
 * environment variable PORTUNUS_DNS_SERVERS ("127.0.0.1:5353,[::1]:5353") names others.
 * /etc/hosts goes first.
 *
 * How long answers are kept: their TTL, at least 5 s and at most 5 min, the least one of all records
 * and aliases. A name used in the last fifth of that time is asked for in the background. What has
 * expired serves on when the servers take longer than 250 ms, and 30 s longer when they
 * fail. IPv4 and IPv6 are asked for at the same time; when one has addresses the other has 50 ms more
 * (RFC 8305, 3). Questions queue: 128 are asked at a time, besides those that were not answered at once.
 */
struct resolver *resolve_new(struct event_base *base);

/* No thread may be in resolve_lookup() or come there any more. Main thread. */
void resolve_free(struct resolver *r);

/*
 * The network has changed: repeats what is being asked from the addresses that we have now (at most
 * every 5 s, a change meanwhile at the end of that time), reads /etc/resolv.conf again if it has
 * changed, and forgets failures. Main thread.
 */
void resolve_reload(struct resolver *r);

/*
 * The addresses of @host ("name", "192.0.2.1" or "[2001:db8::1]"; a name with a final dot is absolute,
 * no search domain applies) with @port, the preferred family first, the server's order kept within a
 * family. Returns
 *   0           @out is filled in, n >= 1;
 *   -EAGAIN     not known yet; @w waits, and comes into its inbox when to ask again;
 *   -ENOENT     the name has no address, or does not exist (cached for 3 s);
 *   -ETIMEDOUT  the name servers did not answer within 3 s, or not usably (SERVFAIL, REFUSED,
 *               unreachable), and there is no old answer (cached for 3 s);
 *   -EBUSY, -ENOBUFS  no memory or descriptors for a question: ours, not the target's fault.
 * Literals never wait. Nothing is called back from here, and nothing blocks. Any thread; takes
 * one mutex. A hit takes 0.1 us (measured).
 */
int resolve_lookup(struct resolver *r, const char *host, uint16_t port, bool prefer_ipv6,
		   struct resolve_addrs *out, struct resolve_waiter *w);

/*
 * None of the addresses of @host works: has the name asked for again, whatever its TTL, but for one
 * name at most once a second, then ever more seldom while the answer stays the same. Returns whether a
 * question is under way; then @w waits for its end (NULL: nobody does). False for literals. Any thread.
 */
bool resolve_again(struct resolver *r, const char *host, struct resolve_waiter *w);

/* The next whose name has news, or NULL; it waits no longer. The thread of the inbox. */
struct resolve_waiter *resolve_next_ready(struct resolver *r, struct resolve_inbox *inbox);

/* Waits no longer, if it did. The thread of its inbox. */
void resolve_cancel(struct resolver *r, struct resolve_waiter *w);

/*
 * Whether it is our own doing that @w still waits: its question was not sent yet, or the thread that
 * reads the answers stands still. The thread of its inbox.
 */
bool resolve_is_late(struct resolver *r, const struct resolve_waiter *w);

#endif
