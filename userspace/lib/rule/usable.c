// SPDX-License-Identifier: MIT
/* Addresses that no TCP or UDP service can have. */
#include "lib/rule/usable.h"

#include <stddef.h>

#include "lib/base/addr.h"

const char *rule_check_listener(const char *address, bool has_interface)
{
	union addr a;

	if (addr_parse_literal(address, 0, &a))
		return NULL;
	if (a.sa.sa_family == AF_INET) {
		if (IN_MULTICAST(ntohl(a.v4.sin_addr.s_addr)))
			return "is a multicast address";
		if (a.v4.sin_addr.s_addr == htonl(INADDR_BROADCAST))
			return "is the broadcast address";
		return NULL;
	}
	if (IN6_IS_ADDR_MULTICAST(&a.v6.sin6_addr))
		return "is a multicast address";
	/* Without a zone the kernel does not know which link (RFC 4007): EINVAL. */
	if (IN6_IS_ADDR_LINKLOCAL(&a.v6.sin6_addr) && !a.v6.sin6_scope_id && !has_interface)
		return "is a link-local address, which needs the name of an interface";
	return NULL;
}

const char *rule_check_target(const char *host)
{
	union addr a;

	if (addr_parse_literal(host, 0, &a))
		return NULL;
	/* The kernel takes it for this host, which nobody means who writes it. */
	if (addr_is_any(&a))
		return "is no address of a host";
	return rule_check_listener(host, false);
}
