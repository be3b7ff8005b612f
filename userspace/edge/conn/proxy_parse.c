// SPDX-License-Identifier: MIT
/* The header of the PROXY protocol that a load balancer in front of the edge sends: reading it. */
#include "edge/conn/proxy_parse.h"

#include <arpa/inet.h>
#include <string.h>

#define LINE_MAX_BYTES 107 /* of version 1, CR LF included (2.1 of the specification) */

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static const uint8_t word[6] = "PROXY ";

static bool begins_with(const uint8_t *data, size_t size, const uint8_t *what, size_t len)
{
	return !memcmp(data, what, size < len ? size : len);
}

/* ---- version 1: a line of text ---- */

/* Takes the text up to the next space, or to the end of the line; false if it is empty or too long. */
static bool take_field(const char **at, const char *end, char *field, size_t room)
{
	const char *stop = memchr(*at, ' ', (size_t)(end - *at));
	size_t len = (size_t)((stop ? stop : end) - *at);

	if (!len || len >= room)
		return false;
	memcpy(field, *at, len);
	field[len] = '\0';
	*at += len + (stop != NULL);
	return strlen(field) == len;
}

/* Decimal, without leading zeros. */
static bool read_port(const char *text, in_port_t *port)
{
	unsigned value = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (unsigned)(*text - '0');
		if (value > UINT16_MAX)
			return false;
	}
	*port = htons((uint16_t)value);
	return true;
}

static bool read_address(const char *text, int family, union addr *out)
{
	memset(out, 0, sizeof(*out));
	out->sa.sa_family = (sa_family_t)family;
	return inet_pton(family, text,
			 family == AF_INET ? (void *)&out->v4.sin_addr
					   : (void *)&out->v6.sin6_addr) == 1;
}

static in_port_t *port_of(union addr *a)
{
	return a->sa.sa_family == AF_INET ? &a->v4.sin_port : &a->v6.sin6_port;
}

/* What is between "PROXY " and the end of the line. */
static bool read_line(const char *at, const char *end, struct proxy_said *out)
{
	char family[8], from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN], from_port[6], to_port[6];
	int af;

	/* Whatever else such a line has is to be ignored. */
	if (end - at >= 7 && !memcmp(at, "UNKNOWN", 7) && (end - at == 7 || at[7] == ' '))
		return true;
	if (!take_field(&at, end, family, sizeof(family)) ||
	    !take_field(&at, end, from, sizeof(from)) || !take_field(&at, end, to, sizeof(to)) ||
	    !take_field(&at, end, from_port, sizeof(from_port)) ||
	    !take_field(&at, end, to_port, sizeof(to_port)) || at != end || end[-1] == ' ')
		return false;
	if (strcmp(family, "TCP4") && strcmp(family, "TCP6"))
		return false;
	af = family[3] == '4' ? AF_INET : AF_INET6;
	out->known = read_address(from, af, &out->client) && read_address(to, af, &out->local) &&
		     read_port(from_port, port_of(&out->client)) &&
		     read_port(to_port, port_of(&out->local));
	return out->known;
}

static enum proxy_verdict read_version_1(const uint8_t *data, size_t size, struct proxy_said *out)
{
	size_t most = size < LINE_MAX_BYTES ? size : LINE_MAX_BYTES;
	const uint8_t *cr = memchr(data, '\r', most);
	const char *line = (const char *)data;

	if (!cr)
		return size < LINE_MAX_BYTES ? PROXY_MORE : PROXY_BAD;
	out->len = (size_t)(cr - data) + 2;
	if (out->len > LINE_MAX_BYTES)
		return PROXY_BAD;
	if (out->len > size)
		return PROXY_MORE;
	if (cr[1] != '\n' || !read_line(line + sizeof(word), (const char *)cr, out))
		return PROXY_BAD;
	return PROXY_WHOLE;
}

/* ---- version 2: binary ---- */

/* The addresses behind the first 16 bytes; false if they do not fit into what the header says it has. */
static bool read_ends(const uint8_t *at, size_t len, int family, struct proxy_said *out)
{
	size_t n = family == AF_INET ? 4 : 16;

	if (len < 2 * n + 4)
		return false;
	out->client.sa.sa_family = out->local.sa.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		memcpy(&out->client.v4.sin_addr, at, n);
		memcpy(&out->local.v4.sin_addr, at + n, n);
	} else {
		memcpy(&out->client.v6.sin6_addr, at, n);
		memcpy(&out->local.v6.sin6_addr, at + n, n);
	}
	memcpy(port_of(&out->client), at + 2 * n, 2);
	memcpy(port_of(&out->local), at + 2 * n + 2, 2);
	out->known = true;
	return true;
}

static enum proxy_verdict read_version_2(const uint8_t *data, size_t size, struct proxy_said *out)
{
	unsigned command;
	size_t len;

	if (size >= 13 && (data[12] >> 4 != 2 || (data[12] & 15) > 1))
		return PROXY_BAD;
	if (size < 16)
		return PROXY_MORE;
	len = (size_t)data[14] << 8 | data[15];
	out->len = 16 + len;
	if (out->len > PROXY_PARSE_MAX)
		return PROXY_BAD;
	if (size < out->len)
		return PROXY_MORE;
	command = data[12] & 15;
	/* LOCAL is the balancer itself, a check of its own; other families name nobody that we know. */
	if (command == 1 && (data[13] == 0x11 || data[13] == 0x21) &&
	    !read_ends(data + 16, len, data[13] == 0x11 ? AF_INET : AF_INET6, out))
		return PROXY_BAD;
	return PROXY_WHOLE;
}

enum proxy_verdict proxy_parse(const uint8_t *data, size_t size, struct proxy_said *out)
{
	memset(out, 0, sizeof(*out));
	if (!size)
		return PROXY_MORE;
	if (begins_with(data, size, signature, sizeof(signature)))
		return size < sizeof(signature) ? PROXY_MORE : read_version_2(data, size, out);
	if (begins_with(data, size, word, sizeof(word)))
		return size < sizeof(word) ? PROXY_MORE : read_version_1(data, size, out);
	return PROXY_NONE;
}
