/* SPDX-License-Identifier: MIT */
/* c-ares on a libevent base: its sockets and its one timer as events, its answers summed by family. */
#ifndef PORTUNUS_EDGE_RESOLVE_DNS_H
#define PORTUNUS_EDGE_RESOLVE_DNS_H

#include <stdbool.h>

struct event_base;
struct resolve_answer;
struct resolve_dns;

/* So long the second family may take after the first has given addresses (RFC 8305, 3). */
#define RESOLVE_DELAY_MS 50

/*
 * How a question ended. Of each family @a has addresses and their TTL (the least one of all records
 * and aliases on the way), or a positive errno: ENOENT (no such name, or none with an address: an
 * endless chain of aliases too), ETIMEDOUT (no server gave a usable answer: silence, unreachable,
 * SERVFAIL, REFUSED), ENOBUFS (we lack memory or descriptors), ECANCELED (resolve_dns_free). @why is
 * a static text in c-ares's words.
 *
 * @last: this is the end. Before it there may be one call without: one family has addresses, the
 * other one (EINPROGRESS) has not been answered for RESOLVE_DELAY_MS since.
 */
typedef void resolve_dns_done(void *arg, const struct resolve_answer *a, bool last,
			      const char *why);

/*
 * A c-ares channel on @base. @servers is "127.0.0.1:5353,[::1]:53" or NULL for those of
 * /etc/resolv.conf, of which the first three count. The tries are spaced so that the last of them
 * gives up within @limit_ms, as long as no search domain makes it several queries. Returns 0 or
 * -ENOMEM, -EINVAL (@servers). Main thread, like all of this.
 */
int resolve_dns_new(struct event_base *base, const char *servers, unsigned limit_ms,
		    struct resolve_dns **out);

/* Ends what is under way with ECANCELED. Not to be called by a resolve_dns_done. */
void resolve_dns_free(struct resolve_dns *d);

/*
 * Asks /etc/hosts, then the servers, for the IPv4 and the IPv6 addresses of @name, each by a query of
 * its own. A name that ends with a dot is absolute, another one goes through the search domains as
 * resolv.conf(5) says; both families come from the same domain. @done may be called before this
 * returns.
 */
void resolve_dns_query(struct resolve_dns *d, const char *name, resolve_dns_done *done, void *arg);

#endif
