// SPDX-License-Identifier: MIT
/* Where a rule listens, compared by value. */
#include "lib/rule/listen.h"

#include <string.h>

#include "lib/base/addr.h"
#include "lib/rule/rule.h"
#include "lib/rule/sni.h"
#include "lib/rule/span.h"

struct rule_listen rule_listen_of(const struct rule *r)
{
	struct rule_listen l = {.port = r->listen_port,
				.last = rule_span(r).last,
				.protocol = r->protocol};
	union addr a;

	if (r->listen_interface)
		strncpy(l.interface, r->listen_interface, sizeof(l.interface) - 1);
	if (!r->listen_address || addr_parse_literal(r->listen_address, 0, &a))
		return l;
	if (a.sa.sa_family == AF_INET) {
		l.family = 4;
		memcpy(l.bytes, &a.v4.sin_addr, sizeof(a.v4.sin_addr));
	} else if (!IN6_IS_ADDR_UNSPECIFIED(&a.v6.sin6_addr)) {
		/* "::" is no more than no address at all: the socket is dual-stack. */
		l.family = 6;
		memcpy(l.bytes, &a.v6.sin6_addr, sizeof(a.v6.sin6_addr));
	}
	return l;
}

int rule_listen_compare(const struct rule_listen *a, const struct rule_listen *b)
{
	int rc = (a->port > b->port) - (a->port < b->port);

	if (!rc)
		rc = (a->protocol > b->protocol) - (a->protocol < b->protocol);
	if (!rc)
		rc = strncmp(a->interface, b->interface, sizeof(a->interface));
	if (!rc)
		rc = (a->family > b->family) - (a->family < b->family);
	if (!rc)
		rc = memcmp(a->bytes, b->bytes, sizeof(a->bytes));
	return rc ? rc : (a->last > b->last) - (a->last < b->last);
}

static bool is_any(const struct rule_listen *l)
{
	static const uint8_t any[sizeof(l->bytes)];

	return !memcmp(l->bytes, any, sizeof(any));
}

/* Whether @a takes every address that @b does. */
static bool covers_address(const struct rule_listen *a, const struct rule_listen *b)
{
	return a->family == 0 || (a->family == b->family &&
				  (is_any(a) || !memcmp(a->bytes, b->bytes, sizeof(a->bytes))));
}

static bool ports_meet(const struct rule_listen *a, const struct rule_listen *b)
{
	return a->port <= b->last && b->port <= a->last && a->protocol == b->protocol;
}

bool rule_listen_covers(const struct rule_listen *a, const struct rule_listen *b)
{
	return ports_meet(a, b) && covers_address(a, b) &&
	       (!a->interface[0] || !strncmp(a->interface, b->interface, sizeof(a->interface)));
}

bool rule_listen_meets(const struct rule_listen *a, const struct rule_listen *b)
{
	return ports_meet(a, b) && (covers_address(a, b) || covers_address(b, a)) &&
	       (!a->interface[0] || !b->interface[0] ||
		!strncmp(a->interface, b->interface, sizeof(a->interface)));
}

bool rule_listens_alike(const struct rule *a, const struct rule *b)
{
	struct rule_listen x = rule_listen_of(a), y = rule_listen_of(b);

	return !rule_listen_compare(&x, &y);
}

bool rule_listens_near(const struct rule *a, const struct rule *b)
{
	struct rule_listen x = rule_listen_of(a), y = rule_listen_of(b);

	return ports_meet(&x, &y) && x.family == y.family &&
	       !memcmp(x.bytes, y.bytes, sizeof(x.bytes)) &&
	       !memcmp(x.interface, y.interface, sizeof(x.interface));
}

bool rule_listens_overlap(const struct rule *a, const struct rule *b)
{
	struct rule_listen x, y;

	/* Most have other ports: a new rule is compared with thousands of them. */
	if (!span_meet(rule_span(a), rule_span(b)))
		return false;
	x = rule_listen_of(a);
	y = rule_listen_of(b);
	return rule_listen_meets(&x, &y);
}

bool rule_listens_conflict(const struct rule *a, const struct rule *b)
{
	return rule_listens_overlap(a, b) &&
	       !(rule_listens_alike(a, b) && a->protocol == RULE_TCP && rule_sni_differs(a, b));
}

uint16_t rule_listens_common(const struct rule *a, const struct rule *b)
{
	return a->listen_port > b->listen_port ? a->listen_port : b->listen_port;
}
