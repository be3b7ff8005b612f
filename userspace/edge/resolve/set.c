// SPDX-License-Identifier: MIT
/* Sets of addresses: what a name has by family, and the order in which they are tried. */
#include "edge/resolve/set.h"

#include <errno.h>
#include <string.h>

static void add_v4(struct resolve_set *s, struct in_addr a)
{
	for (unsigned i = 0; i < s->n4; i++)
		if (s->v4[i].s_addr == a.s_addr)
			return;
	if (s->n4 < RESOLVE_ADDRS_MAX)
		s->v4[s->n4++] = a;
}

static void add_v6(struct resolve_set *s, const struct in6_addr *a)
{
	for (unsigned i = 0; i < s->n6; i++)
		if (IN6_ARE_ADDR_EQUAL(&s->v6[i], a))
			return;
	if (s->n6 < RESOLVE_ADDRS_MAX)
		s->v6[s->n6++] = *a;
}

void resolve_set_add(struct resolve_set *s, const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		add_v4(s, ((const struct sockaddr_in *)sa)->sin_addr);
	} else if (sa->sa_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)sa)->sin6_addr;
		struct in_addr mapped;

		if (IN6_IS_ADDR_V4MAPPED(a)) {
			memcpy(&mapped, &a->s6_addr[12], sizeof(mapped));
			add_v4(s, mapped);
		} else {
			add_v6(s, a);
		}
	}
}

static void order_v4(const struct resolve_set *s, unsigned limit, uint16_t port,
		     struct resolve_addrs *out)
{
	for (unsigned i = 0; i < s->n4 && out->n < limit; i++) {
		union addr *a = &out->addr[out->n++];

		memset(a, 0, sizeof(*a));
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		a->v4.sin_addr = s->v4[i];
	}
}

static void order_v6(const struct resolve_set *s, unsigned limit, uint16_t port,
		     struct resolve_addrs *out)
{
	for (unsigned i = 0; i < s->n6 && out->n < limit; i++) {
		union addr *a = &out->addr[out->n++];

		memset(a, 0, sizeof(*a));
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		a->v6.sin6_addr = s->v6[i];
	}
}

void resolve_set_order(const struct resolve_set *s, uint16_t port, bool prefer_ipv6,
		       struct resolve_addrs *out)
{
	unsigned other = prefer_ipv6 ? s->n4 : s->n6;
	unsigned first = RESOLVE_ADDRS_MAX - (other > 0);

	out->n = 0;
	if (prefer_ipv6) {
		order_v6(s, first, port, out);
		order_v4(s, RESOLVE_ADDRS_MAX, port, out);
	} else {
		order_v4(s, first, port, out);
		order_v6(s, RESOLVE_ADDRS_MAX, port, out);
	}
}

void resolve_set_take(struct resolve_set *s, const struct resolve_set *from,
		      enum resolve_family family)
{
	if (family == RESOLVE_V4) {
		s->n4 = from->n4;
		memcpy(s->v4, from->v4, sizeof(s->v4));
	} else {
		s->n6 = from->n6;
		memcpy(s->v6, from->v6, sizeof(s->v6));
	}
}

/* No address is twice in a set, so equal numbers and one inclusion will do. */
bool resolve_set_same(const struct resolve_set *a, const struct resolve_set *b)
{
	if (a->n4 != b->n4 || a->n6 != b->n6)
		return false;
	for (unsigned i = 0; i < b->n4; i++) {
		bool found = false;

		for (unsigned k = 0; k < a->n4 && !found; k++)
			found = a->v4[k].s_addr == b->v4[i].s_addr;
		if (!found)
			return false;
	}
	for (unsigned i = 0; i < b->n6; i++) {
		bool found = false;

		for (unsigned k = 0; k < a->n6 && !found; k++)
			found = IN6_ARE_ADDR_EQUAL(&a->v6[k], &b->v6[i]);
		if (!found)
			return false;
	}
	return true;
}

int resolve_answer_error(const struct resolve_answer *a)
{
	if (!a->err[RESOLVE_V4] || !a->err[RESOLVE_V6])
		return 0;
	return a->err[RESOLVE_V4] != ENOENT ? a->err[RESOLVE_V4] : a->err[RESOLVE_V6];
}
