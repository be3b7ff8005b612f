// SPDX-License-Identifier: MIT
/* Text from outside: recognises UTF-8, cuts it at characters, and tells which names are readable. */
#include "lib/base/utf8.h"

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unictype.h>
#include <unistr.h>

#define ZERO_WIDTH_NON_JOINER 0x200c
#define ZERO_WIDTH_JOINER     0x200d

/* Which classes of Unicode no name has. Cf holds all bidi controls. */
#define NOT_IN_NAMES                                                                             \
	(UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf | UC_CATEGORY_MASK_Cs | UC_CATEGORY_MASK_Co | \
	 UC_CATEGORY_MASK_Cn | UC_CATEGORY_MASK_Zl | UC_CATEGORY_MASK_Zp)

/* Reads the character at the head of @n bytes; returns its length, 0 where there is none. */
static size_t next(const char *s, size_t n, ucs4_t *c)
{
	int len = n ? u8_mbtoucr(c, (const uint8_t *)s, n) : 0;

	return len > 0 ? (size_t)len : 0;
}

size_t utf8_len(const char *s, size_t n)
{
	ucs4_t c;

	return next(s, n, &c);
}

bool utf8_valid(const char *s, size_t n)
{
	return !u8_check((const uint8_t *)s, n);
}

/* How many of @n bytes are whole characters that fit into @max. */
static size_t fitting(const char *s, size_t n, size_t max)
{
	size_t used = 0;

	while (used < n) {
		size_t len = utf8_len(s + used, n - used);

		len = len ? len : 1;
		if (len > max - used)
			break;
		used += len;
	}
	return used;
}

int utf8_cut(const char *s, size_t max)
{
	if (max > INT_MAX)
		max = INT_MAX;
	/* No more than the character across the limit has to be seen. */
	return (int)fitting(s, strnlen(s, max + 4), max);
}

static void repair(char *s, size_t n)
{
	for (size_t len; n > 0; s += len, n -= len) {
		len = utf8_len(s, n);
		if (len == 0 || *s == '\0') {
			*s = '?';
			len = 1;
		}
	}
}

size_t utf8_copy(char *out, size_t size, const char *s, size_t n)
{
	size_t len;

	if (size == 0)
		return 0;
	len = fitting(s, n, size - 1);
	memcpy(out, s, len);
	repair(out, len);
	out[len] = '\0';
	return len;
}

/* The length of @s without a last character that lacks its end. */
static size_t without_torn_end(const char *s, size_t len)
{
	for (size_t back = 1; back < 4 && back <= len; back++) {
		unsigned char c = (unsigned char)s[len - back];

		if (c < 0x80)
			break;
		if (c >= 0xc0) /* the first byte of a sequence */
			return utf8_len(s + len - back, back) ? len : len - back;
	}
	return len;
}

size_t utf8_vformat(char *out, size_t size, const char *fmt, va_list args)
{
	size_t len;
	int n;

	if (size == 0)
		return 0;
	n = vsnprintf(out, size, fmt, args);
	if (n < 0)
		*out = '\0';
	len = strlen(out);
	if (n >= 0 && (size_t)n >= size)
		len = without_torn_end(out, len);
	out[len] = '\0';
	repair(out, len);
	return len;
}

size_t utf8_format(char *out, size_t size, const char *fmt, ...)
{
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = utf8_vformat(out, size, fmt, args);
	va_end(args);
	return len;
}

static bool joins(ucs4_t before, ucs4_t c, ucs4_t after)
{
	return (c == ZERO_WIDTH_NON_JOINER || c == ZERO_WIDTH_JOINER) && before >= 0x80 &&
	       after >= 0x80;
}

bool utf8_is_name(const char *s)
{
	size_t left = strlen(s), len;
	ucs4_t before = 0, c, after;

	for (; left > 0; s += len, left -= len) {
		len = next(s, left, &c);
		if (len == 0)
			return false;
		if (next(s + len, left - len, &after) == 0)
			after = 0;
		if (uc_is_general_category_withtable(c, NOT_IN_NAMES) && !joins(before, c, after))
			return false;
		before = c;
	}
	return true;
}
