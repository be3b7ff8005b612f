/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_RESOLVE_DNS_H
#define PORTUNUS_EDGE_RESOLVE_DNS_H

#include <stdint.h>

struct event_base;
struct resolve_dns;
struct resolve_set;

/*
 * How a query ended. @err is 0 (with @set and @ttl, the least one of all records and aliases on the
 * way, in seconds), or positive: ENOENT (no such name, or none with an address: an endless chain of
 * aliases too), ETIMEDOUT (no server gave a usable answer: silence, unreachable, SERVFAIL,
 * REFUSED), ENOBUFS (we lack memory or descriptors), ECANCELED (resolve_dns_free). @why is a static
 * text in c-ares's words.
 */
typedef void resolve_dns_done(void *arg, int err, const struct resolve_set *set, uint32_t ttl,
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
 * Asks /etc/hosts, then the servers, for the IPv4 and IPv6 addresses of @name. @done is called
 * exactly once, maybe before this returns.
 */
void resolve_dns_query(struct resolve_dns *d, const char *name, resolve_dns_done *done, void *arg);

#endif
