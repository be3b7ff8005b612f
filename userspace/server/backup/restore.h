/* SPDX-License-Identifier: MIT */
/* The way back: a backup becomes the state of a data directory, all of it or nothing; and a reset. */
#ifndef PORTUNUS_SERVER_BACKUP_RESTORE_H
#define PORTUNUS_SERVER_BACKUP_RESTORE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/backup/parts.h"

struct store_hold;

struct restore {
	bool full;     /* a tar */
	bool pair;     /* with the certificate and its key */
	bool settings; /* with server.toml */
	int in;	       /* the open backup */
	char why[600];
	struct store_hold *hold;
	int staged;
};

/*
 * Opens the backup and tells its kind. 0; -ENOENT: there is none; -EUCLEAN: it is neither kind; or -errno. With
 * @r->why. restore_end() in any case.
 */
int restore_open(struct restore *r, const char *path);
/*
 * Holds the data directory and makes in it all that is to come. 0; -EBUSY: a server runs on it; -EEXIST: without
 * @force, something would be replaced; -EUCLEAN, -EPROTO, -ENOTRECOVERABLE as of store_hold_prepare(); -errno.
 */
int restore_prepare(struct restore *r, const char *data_dir, bool force);
/* Where restore_prepare() has put it: below the data directory. */
#define RESTORE_STAGED "restore.new"
/* Makes it the state of the directory. What fails after the moment of change is made good by whoever opens it. */
int restore_commit(struct restore *r);
/* Without a commit everything is as it was. */
void restore_end(struct restore *r);

/* Told of each file, by its path, before it is removed. */
typedef void (*reset_name)(void *arg, const char *path);
/*
 * Removes the store of a data directory, or with @dry only tells what it would remove. Certificate and settings
 * stay, and the highest rule id. 0, also where there is none; -EBUSY; -EUCLEAN: state.db is no database; -errno.
 */
int reset_store(const char *data_dir, bool dry, reset_name each, void *arg, char *why,
		size_t why_size);

#endif
