/* SPDX-License-Identifier: MIT */
/* ULIDs: identifiers of clients and requests. */
#ifndef PORTUNUS_LIB_BASE_ULID_H
#define PORTUNUS_LIB_BASE_ULID_H

#include <stdbool.h>
#include <stdint.h>

#define ULID_SIZE 27 /* 26 characters and the terminator */

/* Makes an identifier: 48 bits of @unix_ms, 80 random bits, in Crockford's base 32. Sorted as text it
 * sorts by time. Returns 0 or -errno (no randomness). Any thread. */
int ulid_new(uint64_t unix_ms, char out[ULID_SIZE]);

/* Whether @text is one: 26 characters of the alphabet, upper case, not above 2^128 - 1. */
bool ulid_valid(const char *text);

#endif
