// SPDX-License-Identifier: MIT
/* The header of the PROXY protocol, by which a target learns who the client is. */
#include "edge/conn/proxy_header.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* An address as both versions write it: its family, its bytes, its port in network order. */
struct end {
	int family;
	size_t len;
	uint8_t bytes[16];
	in_port_t port;
};

static struct end end_of(const union addr *a)
{
	struct end e = {.family = a->sa.sa_family};

	if (e.family == AF_INET) {
		e.len = 4;
		e.port = a->v4.sin_port;
		memcpy(e.bytes, &a->v4.sin_addr, e.len);
	} else if (e.family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) {
		e.family = AF_INET;
		e.len = 4;
		e.port = a->v6.sin6_port;
		memcpy(e.bytes, &a->v6.sin6_addr.s6_addr[12], e.len);
	} else if (e.family == AF_INET6) {
		e.len = 16;
		e.port = a->v6.sin6_port;
		memcpy(e.bytes, &a->v6.sin6_addr, e.len);
	}
	return e;
}

static size_t version_1(const struct end *from, const struct end *to, uint8_t *out)
{
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
	int n;

	if (!from->len || from->family != to->family)
		n = snprintf((char *)out, PROXY_HEADER_MAX, "PROXY UNKNOWN\r\n");
	else
		n = snprintf((char *)out, PROXY_HEADER_MAX, "PROXY TCP%c %s %s %u %u\r\n",
			     from->family == AF_INET ? '4' : '6',
			     inet_ntop(from->family, from->bytes, a, sizeof(a)),
			     inet_ntop(to->family, to->bytes, b, sizeof(b)), ntohs(from->port),
			     ntohs(to->port));
	return (size_t)n;
}

/* PP2_TYPE_UNIQUE_ID of the specification, 2.2.5: a type, a length in network order, the bytes. */
static size_t add_id(const uint8_t *id, uint8_t *out)
{
	out[0] = 0x05;
	out[1] = 0;
	out[2] = PROXY_ID_BYTES;
	memcpy(out + 3, id, PROXY_ID_BYTES);
	return 3 + PROXY_ID_BYTES;
}

static size_t version_2(const struct end *from, const struct end *to, const uint8_t *id,
			uint8_t *out)
{
	static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
	bool known = from->len && from->family == to->family;
	size_t at = 16;

	memcpy(out, signature, sizeof(signature));
	out[12] = known ? 0x21 : 0x20; /* version 2; the command PROXY, or LOCAL */
	out[13] = !known ? 0x00 : from->family == AF_INET ? 0x11 : 0x21; /* TCP over IPv4, IPv6 */
	out[14] = 0;
	out[15] = 0;
	if (!known)
		return at;
	memcpy(out + at, from->bytes, from->len);
	memcpy(out + at + from->len, to->bytes, to->len);
	at += 2 * from->len;
	memcpy(out + at, &from->port, 2);
	memcpy(out + at + 2, &to->port, 2);
	at += 4;
	if (id)
		at += add_id(id, out + at);
	out[15] = (uint8_t)(at - 16);
	return at;
}

size_t proxy_header(enum rule_proxy version, const union addr *client, const union addr *local,
		    const uint8_t *id, uint8_t out[PROXY_HEADER_MAX])
{
	struct end from, to;

	if (version == RULE_PROXY_NONE)
		return 0;
	from = end_of(client);
	to = end_of(local);
	return version == RULE_PROXY_V1 ? version_1(&from, &to, out)
					: version_2(&from, &to, id, out);
}
