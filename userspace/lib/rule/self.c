// SPDX-License-Identifier: MIT
/* Rules whose target is their own listener. */
#include "lib/rule/self.h"

#include <string.h>

#include "lib/base/addr.h"
#include "lib/rule/host.h"

/* The loopback address that connect() takes the wildcard for. */
static void any_to_loopback(union addr *a)
{
	addr_parse_literal(a->sa.sa_family == AF_INET ? "127.0.0.1" : "::1", 0, a);
}

/* A listener at 0.0.0.0 hears IPv4 only; one at [::] hears both families. */
static bool hears_all_of(const union addr *listen, int family)
{
	return addr_is_any(listen) && (listen->sa.sa_family == AF_INET6 || family == AF_INET);
}

static bool heard_by(const char *listen, const char *literal)
{
	union addr at, to;

	if (addr_parse_literal(literal, 0, &to))
		return false;
	if (addr_is_any(&to))
		any_to_loopback(&to);
	if (!listen)
		return addr_is_loopback(&to);
	if (addr_parse_literal(listen, 0, &at))
		return false;
	if (hears_all_of(&at, to.sa.sa_family))
		return addr_is_loopback(&to);
	return addr_same_host(&at, &to);
}

/* RFC 6761, 6.3: a resolver gives loopback addresses for it. */
bool rule_leads_to_itself(const char *listen, const char *host)
{
	if (rule_host_equal(host, "localhost"))
		return heard_by(listen, "127.0.0.1") || heard_by(listen, "::1");
	return heard_by(listen, host);
}
