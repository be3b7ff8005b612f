// SPDX-License-Identifier: MIT
/* Bytes as text: what a health check sends and expects. */
#include "lib/rule/escape.h"

#include <errno.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte of the escape at @s, which is behind the backslash; *len is what it takes. -1: none. */
static int escaped(const char *s, size_t *len)
{
	static const char letters[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
	const char *at = *s ? strchr(letters, *s) : NULL;

	*len = 1;
	if (at)
		return (unsigned char)bytes[at - letters];
	if (*s != 'x' || hex_digit(s[1]) < 0 || hex_digit(s[2]) < 0)
		return -1;
	*len = 3;
	return hex_digit(s[1]) << 4 | hex_digit(s[2]);
}

ssize_t rule_unescape(const char *text, uint8_t *out, size_t size)
{
	size_t n = 0;

	while (*text) {
		int byte = (unsigned char)*text++;

		if (byte == '\\') {
			size_t len;

			byte = escaped(text, &len);
			if (byte < 0)
				return -EINVAL;
			text += len;
		}
		if (n == size)
			return -E2BIG;
		out[n++] = (uint8_t)byte;
	}
	return (ssize_t)n;
}
