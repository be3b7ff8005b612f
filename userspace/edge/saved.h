/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_SAVED_H
#define PORTUNUS_EDGE_SAVED_H

#include <stddef.h>

struct rule;

/*
 * The last rule set that a server gave, on disk, so that an edge that starts without its server serves
 * it. Rules are kept as they go over the wire: rows stay in their order, and an id may be 0.
 */

/* "<dir>/rules.saved", of a named instance "<dir>/rules-<instance>.saved". 0 or -ENAMETOOLONG. */
int saved_path(const char *dir, const char *instance, char *out, size_t size);

/*
 * Replaces the saved set: after a power failure there is the old one or the new one. @scope says whose
 * rules these are. Makes the directory if need be. 0 or -errno; then the old set is untouched.
 */
int saved_write(const char *path, const char *scope, const struct rule *const *rules, size_t n);

/*
 * Reads it. On success *rules (rules_free) are valid, in the order they were saved in. -ENOENT: there
 * is none; -ESTALE: it belongs to another scope; -EBADMSG: it is damaged or of another format;
 * -errno of reading.
 */
int saved_read(const char *path, const char *scope, struct rule ***rules, size_t *n);

/* 0, also when there was none; -errno. */
int saved_delete(const char *path);

#endif
