/* SPDX-License-Identifier: MIT */
/* The header of the PROXY protocol, by which a target learns who the client is. */
#ifndef PORTUNUS_EDGE_CONN_PROXY_HEADER_H
#define PORTUNUS_EDGE_CONN_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"
#include "lib/rule/rule.h"

#define PROXY_HEADER_MAX 107 /* of version 1, by its specification; version 2 with an id has 71 */
#define PROXY_ID_BYTES	 16

/*
 * Writes the header for a connection from @client to @local, the address and port it has dialled. Both
 * are shown by what they are: an IPv4-mapped IPv6 address as IPv4, a link-local one without its zone.
 * Where the families differ, or are none that the header knows, it says that nothing is known: "UNKNOWN",
 * or the command LOCAL. @id, PROXY_ID_BYTES of them, is told with version 2 as the connection's unique id;
 * NULL: none. Returns the length; 0 for RULE_PROXY_NONE. Pure.
 */
size_t proxy_header(enum rule_proxy version, const union addr *client, const union addr *local,
		    const uint8_t *id, uint8_t out[PROXY_HEADER_MAX]);

#endif
