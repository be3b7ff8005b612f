/* SPDX-License-Identifier: MIT */
/* Sets of addresses: what a name has by family, and the order in which they are tried. */
#ifndef PORTUNUS_EDGE_RESOLVE_SET_H
#define PORTUNUS_EDGE_RESOLVE_SET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "edge/resolve/addrs.h"

/*
 * The addresses of one name, each family in the order in which the server gave it. As many of each
 * as a caller can ever get, so that which of A and AAAA was answered first makes no difference.
 */
struct resolve_set {
	uint8_t n4, n6;
	struct in_addr v4[RESOLVE_ADDRS_MAX];
	struct in6_addr v6[RESOLVE_ADDRS_MAX];
};

enum resolve_family { RESOLVE_V4, RESOLVE_V6, RESOLVE_FAMILIES };

/* What the servers said of one name: each family by itself. */
struct resolve_answer {
	struct resolve_set set;
	/* 0 where the family has addresses, ENOENT where it has none, else why that is not known. */
	int err[RESOLVE_FAMILIES];
	uint32_t ttl[RESOLVE_FAMILIES]; /* in seconds; where there are addresses */
};

static inline bool resolve_set_empty(const struct resolve_set *s)
{
	return s->n4 + s->n6 == 0;
}

/* Adds an IPv4 or IPv6 address; one that is there already, or that finds no room, is ignored. A
 * mapped address counts as IPv4. */
void resolve_set_add(struct resolve_set *s, const struct sockaddr *sa);

/* Replaces the addresses of one family by those of @from. */
void resolve_set_take(struct resolve_set *s, const struct resolve_set *from,
		      enum resolve_family family);

/* Whether both hold the same addresses, in whatever order (servers rotate them). */
bool resolve_set_same(const struct resolve_set *a, const struct resolve_set *b);

/* Fills @out, the preferred family first. Of more than RESOLVE_ADDRS_MAX the first are kept, but
 * the last place goes to the other family when it has any address. */
void resolve_set_order(const struct resolve_set *s, uint16_t port, bool prefer_ipv6,
		       struct resolve_addrs *out);

/*
 * The sum of both families: 0 when there is any address, ENOENT when both families have none, else
 * the error of one that was not answered: what one family lacks says nothing of the other.
 */
int resolve_answer_error(const struct resolve_answer *a);

#endif
