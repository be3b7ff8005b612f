/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_LIB_UTF8_H
#define PORTUNUS_LIB_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The length of the UTF-8 sequence (RFC 3629) at the head of @n bytes, or 0 where there is none: a
 * stray or missing continuation byte, an overlong form, a surrogate, above U+10FFFF, or @n too small.
 */
size_t utf8_len(const char *s, size_t n);

/* Whether all of @n bytes are UTF-8. A NUL is a character like any other. */
bool utf8_valid(const char *s, size_t n);

#endif
