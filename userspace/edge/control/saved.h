/* SPDX-License-Identifier: MIT */
/* The saved rule set. */
#ifndef PORTUNUS_EDGE_CONTROL_SAVED_H
#define PORTUNUS_EDGE_CONTROL_SAVED_H

#include <stddef.h>
#include <stdint.h>

#include "lib/rule/rule.h"

/*
 * The last rule set that a server gave, on disk, so that an edge that starts without its server serves
 * it. Rules are kept as they go over the wire: rows stay in their order, and an id may be 0.
 */

/* "<dir>/rules.saved", of a named instance "<dir>/rules-<instance>.saved". 0 or -ENAMETOOLONG. */
int saved_path(const char *dir, const char *instance, char *out, size_t size);

struct saved_owner {
	char *id;
	struct rate_limit limit;
};

/* Rules, and the caps of owners over all of theirs. */
struct saved_set {
	struct rule **rules;
	size_t n;
	struct saved_owner *owners;
	size_t n_owners;
};

/* What saved_read() has given out. */
void saved_set_free(struct saved_set *set);

/*
 * The content of the file with this set; *@out is the caller's to free. @scope says whose they are.
 * 0, -ENOMEM or -EFBIG.
 */
int saved_pack(const char *scope, const struct saved_set *set, uint8_t **out, size_t *len);

/*
 * Replaces the saved set: after a power failure there is the old one or the new one. Makes the
 * directory if need be. Waits for the disk. 0 or -errno; then the old set is untouched. Any thread.
 */
int saved_store(const char *path, const uint8_t *content, size_t len);

/*
 * Reads it. On success *@out (saved_set_free) is valid, in the order it was saved in. -ENOENT: there
 * is none; -ESTALE: it belongs to another scope; -EBADMSG: it is damaged or of another format;
 * -errno of reading.
 */
int saved_read(const char *path, const char *scope, struct saved_set *out);

/* 0, also when there was none; -errno. Any thread. */
int saved_delete(const char *path);

#endif
