// SPDX-License-Identifier: MIT
/* A ClientHello as a TLS 1.3 client sends it (RFC 8446, 4.1.2), with as much in it as routing by name needs. */
#include <string.h>

#include "selftests/bench/load.h"

static size_t put16(uint8_t *at, size_t n)
{
	at[0] = (uint8_t)(n >> 8);
	at[1] = (uint8_t)n;
	return 2;
}

/* RFC 6066, 3: one name of type host_name. */
static size_t put_name(uint8_t *at, const char *name)
{
	size_t len = strlen(name);

	put16(at, 0); /* server_name */
	put16(at + 2, len + 5);
	put16(at + 4, len + 3);
	at[6] = 0;
	put16(at + 7, len);
	memcpy(at + 9, name, len);
	return len + 9;
}

/* What makes a hello as long as most: 512 bytes (RFC 7685). */
static size_t put_padding(uint8_t *at, size_t n)
{
	put16(at, 21);
	put16(at + 2, n);
	memset(at + 4, 0, n);
	return n + 4;
}

size_t hello_make(uint8_t out[HELLO_MAX], const char *name)
{
	/* Session id, one suite, no compression: of fixed length. */
	static const uint8_t middle[] = {0, 0, 2, 0x13, 0x01, 1, 0};
	uint8_t *body = out + 9, *at = body;
	size_t extensions;

	at += put16(at, 0x0303);
	memset(at, 0x5a, 32); /* random */
	at += 32;
	memcpy(at, middle, sizeof(middle));
	at += sizeof(middle);
	extensions = put_name(at + 2, name);
	extensions += put_padding(at + 2 + extensions, 400);
	at += put16(at, extensions);
	at += extensions;
	memcpy(out, (uint8_t[]){0x16, 3, 1, 0, 0, 1, 0, 0, 0}, 9);
	put16(out + 3, (size_t)(at - out) - 5);
	put16(out + 7, (size_t)(at - body));
	return (size_t)(at - out);
}
