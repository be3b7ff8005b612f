/* SPDX-License-Identifier: MIT */
/* Text from outside: recognises UTF-8, cuts it at characters, and tells which names are readable. */
#ifndef PORTUNUS_LIB_BASE_UTF8_H
#define PORTUNUS_LIB_BASE_UTF8_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Text from outside: what is UTF-8, where it may be cut, and which characters a name may have. */

/*
 * The length of the UTF-8 sequence (RFC 3629) at the head of @n bytes, or 0 where there is none: a
 * stray or missing continuation byte, an overlong form, a surrogate, above U+10FFFF, or @n too small.
 */
size_t utf8_len(const char *s, size_t n);

/* Whether all of @n bytes are UTF-8. A NUL is a character like any other. */
bool utf8_valid(const char *s, size_t n);

/*
 * The precision for printf's "%.*s" that shows at most @max bytes of @s and ends after a whole
 * character: printf("%.*s", utf8_cut(name, 60), name). A byte that is not UTF-8 counts as a character.
 */
int utf8_cut(const char *s, size_t max);

/*
 * Copies @n bytes as a C string of @size bytes that is always UTF-8: it ends after the last whole
 * character that fits, and '?' stands for a NUL and for each byte that is not UTF-8. Returns the
 * length of the copy.
 */
size_t utf8_copy(char *out, size_t size, const char *s, size_t n);

/* snprintf() with utf8_copy()'s promises about the result. Returns the length of the result. */
size_t utf8_format(char *out, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
size_t utf8_vformat(char *out, size_t size, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));

/*
 * Whether @s can stand as a name that people read and compare: UTF-8 of assigned characters, none of
 * them a control, a line or paragraph separator, private, or invisible (Unicode's class Cf: the bidi
 * marks, embeddings and isolates, zero width space, BOM). The joiners U+200C and U+200D, which some
 * scripts and emoji are written with, are allowed between two characters beyond ASCII.
 */
bool utf8_is_name(const char *s);

#endif
