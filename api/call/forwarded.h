/* SPDX-License-Identifier: MIT */
/* Trusted proxies, and the addresses that they pass on. */
#ifndef PORTUNUS_API_CALL_FORWARDED_H
#define PORTUNUS_API_CALL_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/addr.h"

/* Who a request is from when it came by way of proxies, of whom only some are to be believed. */
struct proxies;

/* @list: blocks of addresses, one a line, or NULL for none. NULL for memory; bad lines are left out. */
struct proxies *proxies_new(const char *list);
void proxies_free(struct proxies *p);
bool proxies_trust(const struct proxies *p, const union addr *a);

/*
 * The address that is the request's, from its connection's @peer and the @n fields X-Forwarded-For
 * that came with it, which are one list (RFC 9110, 5.3): the last one that no trusted proxy has. What
 * stands before it anybody can have written.
 */
void proxies_client(const struct proxies *p, const union addr *peer,
		    const char *const *forwarded_for, unsigned n, union addr *out);
/* Whether the fields X-Forwarded-Proto say https; of several the last, which the nearest proxy has added. */
bool forwarded_https(const char *const *forwarded_proto, unsigned n);

#endif
