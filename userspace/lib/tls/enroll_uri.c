// SPDX-License-Identifier: MIT
/* The URI that carries everything an edge needs to enrol. */
#include "lib/tls/enroll_uri.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/hex.h"

static const char scheme[] = "portunus://";
static const char path[] = "/enroll";
static const char pin_prefix[] = "sha256:";

#define STRLEN(s) (sizeof(s) - 1)
#define PIN_HEX	  64

/* Both host and code end up in messages and headers that carry nothing else. */
static bool is_graphic(char c)
{
	return c > ' ' && c < 0x7f;
}

static int parse_port(const char *text, size_t len, uint16_t *port)
{
	unsigned int v = 0;

	if (len < 1 || len > 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned int)(text[i] - '0');
	}
	if (v < 1 || v > 65535)
		return -EINVAL;
	*port = (uint16_t)v;
	return 0;
}

const char *endpoint_split(const char *text, size_t len, char *host, uint16_t *port)
{
	const char *colon = memrchr(text, ':', len);
	const char *name = text;
	size_t n;

	if (!colon)
		return "no port in host:port";
	n = (size_t)(colon - text);
	if (parse_port(colon + 1, len - n - 1, port))
		return "the port is not a number from 1 to 65535";
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		name++;
		n -= 2;
	} else if (memchr(text, ':', n)) {
		return "an IPv6 address needs brackets";
	}
	if (n == 0)
		return "no host in host:port";
	if (n >= ENROLL_HOST_MAX)
		return "the host is too long";
	for (size_t i = 0; i < n; i++)
		if (!is_graphic(name[i]) || strchr("/?#@[]\\", name[i]))
			return "the host has a character that cannot be part of one";
	memcpy(host, name, n);
	host[n] = '\0';
	return NULL;
}

static const char *parse_pair(const char *pair, size_t len, struct enroll_uri *out, int *seen)
{
	const char *eq = memchr(pair, '=', len);
	const char *value;
	size_t n;

	if (!eq)
		return "a query part has no '='";
	value = eq + 1;
	n = len - (size_t)(value - pair);
	if (eq - pair == 3 && !memcmp(pair, "pin", 3)) {
		if (n != STRLEN(pin_prefix) + PIN_HEX ||
		    memcmp(value, pin_prefix, STRLEN(pin_prefix)) ||
		    hex_read(value + STRLEN(pin_prefix), out->pin, sizeof(out->pin)))
			return "pin is not sha256: and 64 hex digits";
		*seen |= 1;
	} else if (eq - pair == 4 && !memcmp(pair, "code", 4)) {
		if (n == 0)
			return "code is empty";
		if (n >= sizeof(out->code))
			return "code is longer than 256 characters";
		for (size_t i = 0; i < n; i++)
			if (!is_graphic(value[i]))
				return "code has a character that cannot be part of one";
		memset(out->code, 0, sizeof(out->code));
		memcpy(out->code, value, n);
		out->code[n] = '\0';
		*seen |= 2;
	}
	return NULL;
}

const char *enroll_uri_parse(const char *text, struct enroll_uri *out)
{
	const char *authority = text + STRLEN(scheme);
	const char *error, *query;
	size_t len;
	int seen = 0;

	*out = (struct enroll_uri){0};
	if (strncmp(text, scheme, STRLEN(scheme)))
		return "it does not start with portunus://";
	len = strcspn(authority, "/?#");
	error = endpoint_split(authority, len, out->host, &out->port);
	if (error)
		return error;
	query = authority + len;
	if (strncmp(query, path, STRLEN(path)) || query[STRLEN(path)] != '?')
		return "the path is not /enroll with a query";
	query += STRLEN(path) + 1;
	for (;;) {
		len = strcspn(query, "&");
		error = parse_pair(query, len, out, &seen);
		if (error)
			return error;
		if (!query[len])
			break;
		query += len + 1;
	}
	if (!(seen & 1))
		return "pin is missing";
	return seen & 2 ? NULL : "code is missing";
}

int enroll_uri_write(const struct enroll_uri *uri, char *out, size_t size)
{
	char pin[PIN_HEX + 1];
	bool v6 = strchr(uri->host, ':');
	int n;

	hex_write(uri->pin, sizeof(uri->pin), pin);
	n = snprintf(out, size, "%s%s%s%s:%u%s?pin=%s%s&code=%s", scheme, v6 ? "[" : "", uri->host,
		     v6 ? "]" : "", uri->port, path, pin_prefix, pin, uri->code);
	return n >= 0 && (size_t)n < size ? n : -ENOSPC;
}
