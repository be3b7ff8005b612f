/* SPDX-License-Identifier: MIT */
/* The tar of a full backup: a store and what belongs with it, and nothing else. */
#ifndef PORTUNUS_SERVER_BACKUP_ARCHIVE_H
#define PORTUNUS_SERVER_BACKUP_ARCHIVE_H

#include <stddef.h>

struct parts;

/* Writes into @out the parts, and the file @store as STORE_FILE. 0, or -errno with @why. */
int archive_write_all(int out, const struct parts *parts, const char *store, char *why,
		      size_t why_size);

/*
 * Unpacks @in into the directory @dir: the store as STORE_FILE, and the parts, which @parts has too. What an
 * archive of ours has not (other names, links, holes, a name twice, a part of more than PART_SIZE_MAX, an end
 * that is missing) is -EUCLEAN. 0, or -errno, with @why. The parts are the caller's to free in any case.
 */
int archive_read_all(int in, int dir, struct parts *parts, char *why, size_t why_size);

#endif
