/* SPDX-License-Identifier: MIT */
/* From root to an unprivileged user, and a data directory that fits. */
#ifndef PORTUNUS_SERVER_RUN_PRIVILEGE_H
#define PORTUNUS_SERVER_RUN_PRIVILEGE_H

#include <stddef.h>
#include <sys/types.h>

/* Whom the packaged unit runs the server as; used when no user was named and it exists. */
#define SERVER_USER "portunus-server"

struct run_as {
	uid_t uid;
	gid_t gid;
	char name[64];
};

/*
 * Chooses whom the server runs as: @user (a name or a number); NULL: the owner of the data
 * directory if there is one and it is not root's, SERVER_USER, or nobody. Never root.
 * Returns 0, or -errno with a sentence in @why.
 */
int run_as_choose(const char *user, const char *data_dir, struct run_as *out, char *why,
		  size_t why_size);

/*
 * Makes the data directory if it is missing, and hands it over when it is root's: the directory and
 * the server's own files in it, and only when it is empty or holds a server's state. One that is
 * another user's is refused. @path gets its real path (PATH_MAX). As root.
 */
int run_as_own(const struct run_as *who, const char *data_dir, char *path, char *why,
	       size_t why_size);

/*
 * What root makes in a directory of the server's user has to be that user's, or the server cannot open it
 * afterwards: as root this becomes the owner of @data_dir for good, as the functions here do it. Nothing happens
 * to another user, and where the directory is root's or is not there, the packaged unit's excepted.
 */
int run_as_owner(const char *data_dir, const char *unit_dir, char *why, size_t why_size);

/*
 * Becomes that user for good: groups, ids, no new privileges; checks that @data_dir can be reached.
 * The calling process has one thread.
 */
int run_as_become(const struct run_as *who, const char *data_dir, char *why, size_t why_size);

#endif
