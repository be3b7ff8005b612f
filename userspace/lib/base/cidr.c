// SPDX-License-Identifier: MIT
/* Blocks of addresses. */
#include "lib/base/cidr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t cidr_bytes(const union addr *a, uint8_t bytes[16])
{
	bool mapped = a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr);
	uint8_t family = a->sa.sa_family == AF_INET6 && !mapped ? 6 : 4;

	memset(bytes, 0, 16);
	if (mapped)
		memcpy(bytes, a->v6.sin6_addr.s6_addr + 12, 4);
	else if (family == 6)
		memcpy(bytes, &a->v6.sin6_addr, 16);
	else
		memcpy(bytes, &a->v4.sin_addr, 4);
	return family;
}

/* Whether the first @bits of both are equal. */
static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return !memcmp(a, b, whole) && (!rest || !((a[whole] ^ b[whole]) >> (8 - rest)));
}

int cidr_parse(const char *text, struct cidr *out)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	uint8_t masked[16] = {0};
	char host[64];
	union addr a;
	unsigned long bits;
	char *end;

	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (addr_parse_literal(host, 0, &a))
		return -EINVAL;
	out->family = cidr_bytes(&a, out->bytes);
	bits = out->family == 4 ? 32 : 128;
	if (slash) {
		unsigned long most = bits;

		bits = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end || bits > most)
			return -EINVAL;
	}
	out->bits = (uint8_t)bits;
	/* "10.0.0.1/8" is somebody's mistake, and nobody can say which. */
	memcpy(masked, out->bytes, bits / 8);
	if (bits % 8)
		masked[bits / 8] = out->bytes[bits / 8] & (uint8_t)(0xff00 >> (bits % 8));
	return memcmp(masked, out->bytes, 16) ? -EINVAL : 0;
}

bool cidr_has(const struct cidr *c, const union addr *a)
{
	uint8_t bytes[16], family = cidr_bytes(a, bytes);

	return family == c->family && same_prefix(bytes, c->bytes, c->bits);
}

char *cidr_text(const struct cidr *c, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	inet_ntop(c->family == 4 ? AF_INET : AF_INET6, c->bytes, host, sizeof(host));
	snprintf(buf, size, c->bits == (c->family == 4 ? 32 : 128) ? "%s" : "%s/%u", host, c->bits);
	return buf;
}

int cidr_compare(const void *a, const void *b)
{
	const struct cidr *x = a, *y = b;
	int rc = (x->family > y->family) - (x->family < y->family);

	if (!rc)
		rc = memcmp(x->bytes, y->bytes, sizeof(x->bytes));
	return rc ? rc : (x->bits > y->bits) - (x->bits < y->bits);
}
