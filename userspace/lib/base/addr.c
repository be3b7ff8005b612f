// SPDX-License-Identifier: MIT
/* Socket addresses: reading literals, showing and comparing them. */
#include "lib/base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A mapped address (RFC 4291, 2.5.5.2) as the IPv4 address it stands for. */
static struct in_addr unmapped(const struct in6_addr *a)
{
	struct in_addr v4;

	memcpy(&v4, a->s6_addr + 12, sizeof(v4));
	return v4;
}

static bool is_mapped(const union addr *a)
{
	return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr);
}

static void set_v4(union addr *out, struct in_addr a, uint16_t port)
{
	memset(out, 0, sizeof(*out));
	out->v4.sin_family = AF_INET;
	out->v4.sin_port = htons(port);
	out->v4.sin_addr = a;
}

int addr_parse_literal(const char *text, uint16_t port, union addr *out)
{
	char bare[INET6_ADDRSTRLEN];
	size_t len = strlen(text);
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		set_v4(out, v4, port);
		return 0;
	}
	if (text[0] == '[') {
		if (text[len - 1] != ']')
			return -EINVAL;
		text++;
		len -= 2;
	}
	if (len >= sizeof(bare))
		return -EINVAL;
	memcpy(bare, text, len);
	bare[len] = '\0';
	if (inet_pton(AF_INET6, bare, &v6) != 1)
		return -EINVAL;
	if (IN6_IS_ADDR_V4MAPPED(&v6)) {
		set_v4(out, unmapped(&v6), port);
		return 0;
	}
	memset(out, 0, sizeof(*out));
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(port);
	out->v6.sin6_addr = v6;
	return 0;
}

/* A name of an interface, or its number. */
static bool is_zone(const char *zone, size_t len)
{
	if (!len || len >= IF_NAMESIZE)
		return false;
	for (size_t i = 0; i < len; i++)
		if (zone[i] <= ' ' || zone[i] > '~' || strchr("/:%[]", zone[i]))
			return false;
	return true;
}

int addr_parse_zoned(const char *text, uint16_t port, union addr *out)
{
	size_t brackets = text[0] == '[', len = strlen(text);
	const char *percent = strchr(text, '%'), *end = text + len - brackets;
	char bare[INET6_ADDRSTRLEN], zone[IF_NAMESIZE] = "";
	size_t address_len;
	char *rest;

	if (!percent) {
		if (addr_parse_literal(text, port, out))
			return -EINVAL;
		return out->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&out->v6.sin6_addr)
			       ? -EINVAL
			       : 0;
	}
	address_len = (size_t)(percent - text) - brackets;
	if ((brackets && (percent > end || *end != ']')) || address_len >= sizeof(bare) ||
	    !is_zone(percent + 1, (size_t)(end - percent - 1)))
		return -EINVAL;
	memcpy(bare, text + brackets, address_len);
	bare[address_len] = '\0';
	memcpy(zone, percent + 1, (size_t)(end - percent - 1));
	if (addr_parse_literal(bare, port, out) || out->sa.sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_LINKLOCAL(&out->v6.sin6_addr))
		return -EINVAL;
	out->v6.sin6_scope_id = (uint32_t)strtoul(zone, &rest, 10);
	if (*rest)
		out->v6.sin6_scope_id = if_nametoindex(zone);
	return 0;
}

/* A decimal port without sign or spaces; more than five digits cannot be one. */
static int parse_port(const char *s, uint16_t *port)
{
	size_t len = strlen(s);
	unsigned int value = 0;

	if (len == 0 || len > 5)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		value = value * 10 + (unsigned int)(*s - '0');
	}
	if (value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

int addr_split(const char *text, char *host, size_t host_size, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (!colon || colon == text || parse_port(colon + 1, port))
		return -EINVAL;
	len = (size_t)(colon - text);
	if (len >= host_size)
		return -EINVAL;
	if (text[0] == '[' ? len < 3 || text[len - 1] != ']' : memchr(text, ':', len) != NULL)
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	return 0;
}

char *addr_text_host(const union addr *a, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "-";

	if (a->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->v4.sin_addr, text, sizeof(text));
	} else if (is_mapped(a)) {
		struct in_addr v4 = unmapped(&a->v6.sin6_addr);

		inet_ntop(AF_INET, &v4, text, sizeof(text));
	} else if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->v6.sin6_addr, text, sizeof(text));
	}
	snprintf(buf, size, "%s", text);
	return buf;
}

char *endpoint_text(const char *host, uint16_t port, char *buf, size_t size)
{
	snprintf(buf, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	return buf;
}

char *addr_text(const union addr *a, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	addr_text_host(a, host, sizeof(host));
	return endpoint_text(host, addr_port(a), buf, size);
}

bool addr_same_host(const union addr *a, const union addr *b)
{
	union addr v4;

	if (is_mapped(a)) {
		set_v4(&v4, unmapped(&a->v6.sin6_addr), 0);
		return addr_same_host(&v4, b);
	}
	if (is_mapped(b))
		return addr_same_host(b, a);
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->sa.sa_family == AF_INET6 && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
	       IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
}

bool addr_equal(const union addr *a, const union addr *b)
{
	return addr_port(a) == addr_port(b) && addr_same_host(a, b);
}

bool addr_is_loopback(const union addr *a)
{
	struct in_addr v4;

	if (a->sa.sa_family == AF_INET6 && !is_mapped(a))
		return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
	if (a->sa.sa_family != AF_INET && !is_mapped(a))
		return false;
	v4 = is_mapped(a) ? unmapped(&a->v6.sin6_addr) : a->v4.sin_addr;
	return ntohl(v4.s_addr) >> 24 == 127;
}

bool addr_is_any(const union addr *a)
{
	return a->sa.sa_family == AF_INET ? a->v4.sin_addr.s_addr == htonl(INADDR_ANY)
					  : IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
}

socklen_t addr_len(const union addr *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
}

uint16_t addr_port(const union addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}
