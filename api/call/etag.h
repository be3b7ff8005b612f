/* SPDX-License-Identifier: MIT */
/* Makes entity tags and compares them with what a request says. */
#ifndef PORTUNUS_API_CALL_ETAG_H
#define PORTUNUS_API_CALL_ETAG_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Entity tags: a hash of the answer's bytes, in quotes. That of a rule has a version in front, a hash of
 * what people set and not of what is measured: If-Match compares that part alone, so that a probe's
 * result between reading and writing is no conflict.
 */
struct etag;

#define ETAG_SIZE    64
#define ETAG_VERSION 16 /* hexadecimal digits of a version, before a '-' */

/* Hashes a body piece by piece. NULL for memory. */
struct etag *etag_begin(void);
void etag_add(struct etag *e, const void *data, size_t len);
/* Writes the tag, with a @version (NULL: none) in front, and frees @e. */
void etag_end(struct etag *e, const char *version, char out[ETAG_SIZE]);
void etag_drop(struct etag *e);

/* Whether one of the tags in the header @list is @tag, or "*": for If-None-Match. NULL has none. */
bool etag_matches(const char *list, const char *tag);
/* The same for If-Match: compares the versions of the two. */
bool etag_version_matches(const char *list, const char *version);

#endif
