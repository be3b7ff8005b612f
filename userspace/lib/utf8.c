// SPDX-License-Identifier: MIT
/* Recognises UTF-8, for what comes from outside and for what goes to strict readers. */
#include "lib/utf8.h"

#include <stdint.h>

size_t utf8_len(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	unsigned char lo = 0x80, hi = 0xbf; /* bounds of the second byte */
	size_t len;

	if (n == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		len = 2;
	else if ((u[0] & 0xf0) == 0xe0)
		len = 3;
	else if (u[0] >= 0xf0 && u[0] <= 0xf4)
		len = 4;
	else
		return 0;
	switch (u[0]) {
	case 0xe0:
		lo = 0xa0; /* shorter forms exist */
		break;
	case 0xed:
		hi = 0x9f; /* surrogates */
		break;
	case 0xf0:
		lo = 0x90; /* shorter forms exist */
		break;
	case 0xf4:
		hi = 0x8f; /* above U+10FFFF */
		break;
	}
	if (n < len || u[1] < lo || u[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool utf8_valid(const char *s, size_t n)
{
	while (n > 0) {
		size_t len = utf8_len(s, n);

		if (len == 0)
			return false;
		s += len;
		n -= len;
	}
	return true;
}
