// SPDX-License-Identifier: MIT
/* The hashing of clients onto targets: the same on every edge and every machine. */
#include "edge/target/hash.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/addr.h"

/* Finishing of MurmurHash3: every bit of the input changes half of the bits. */
static uint64_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdull;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 33;
}

/* FNV-1a: byte by byte, so that it is the same whatever the byte order. */
static uint64_t digest(const void *bytes, size_t n)
{
	const uint8_t *b = bytes;
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ull;
	return mix(h);
}

uint64_t hash_target(const char *host, uint16_t port)
{
	char name[300], text[ADDR_TEXT_MAX];
	union addr a;
	size_t n;

	if (addr_parse_literal(host, 0, &a) == 0)
		host = addr_text_host(&a, text, sizeof(text));
	n = (size_t)snprintf(name, sizeof(name), "%s", host);
	if (n >= sizeof(name))
		n = sizeof(name) - 1;
	for (size_t i = 0; i < n; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	if (n && name[n - 1] == '.')
		n--;
	n += (size_t)snprintf(name + n, sizeof(name) - n, ":%u", port);
	return digest(name, n < sizeof(name) ? n : sizeof(name) - 1);
}

/* An IPv4 address is the same however the socket shows it. */
uint64_t hash_client(const union addr *client)
{
	uint8_t b[16] = {[10] = 0xff, [11] = 0xff};

	if (client->sa.sa_family == AF_INET6)
		memcpy(b, &client->v6.sin6_addr, sizeof(b));
	else
		memcpy(b + 12, &client->v4.sin_addr, 4);
	return digest(b, sizeof(b));
}

/*
 * -log2(h / 2^64) in units of 2^-24, by squaring: the same on every machine, which floating point would
 * not promise.
 */
static uint64_t neg_log2(uint64_t h)
{
	uint64_t m = h | 1, log = 0;
	unsigned zeros = (unsigned)__builtin_clzll(m);

	m <<= zeros;
	for (unsigned bit = 0; bit < 24; bit++) {
		__uint128_t square = (__uint128_t)m * m >> 63;

		log <<= 1;
		if (square >> 64) {
			log |= 1;
			square >>= 1;
		}
		m = (uint64_t)square;
	}
	return ((uint64_t)(zeros + 1) << 24) - log;
}

uint64_t hash_distance(uint64_t client, uint64_t target)
{
	return neg_log2(mix(client ^ target));
}
