/* SPDX-License-Identifier: MIT */
/* Making a backup: a file that is there whole or not at all. */
#ifndef PORTUNUS_SERVER_BACKUP_MAKE_H
#define PORTUNUS_SERVER_BACKUP_MAKE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct backup_order {
	const char *data_dir;
	const char *out; /* a file that is not there yet, or a directory */
	bool full;	 /* a tar with what belongs with the store; else the database alone */
	unsigned keep;	 /* in a directory: how many of its kind stay; 0: all */
};

/* Where the pair lies, as server.toml says; asked as the owner of the data directory. 0 or -errno with @why. */
typedef int (*backup_pair)(const char *data_dir, char cert[PATH_MAX], char key[PATH_MAX], char *why,
			   size_t why_size);

/*
 * Makes it, mode 0600 and synced, and puts its name into @path. 0; -ENOENT: there is no store; -EEXIST: there is a
 * file of that name; -EINVAL: @keep without a directory; or another errno, and nothing is there. With @why.
 */
int backup_make(const struct backup_order *order, backup_pair pair, char path[PATH_MAX], char *why,
		size_t why_size);

#endif
