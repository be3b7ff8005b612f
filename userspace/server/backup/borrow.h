/* SPDX-License-Identifier: MIT */
/* Root reads what is a server's as that server's user. */
#ifndef PORTUNUS_SERVER_BACKUP_BORROW_H
#define PORTUNUS_SERVER_BACKUP_BORROW_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * A data directory is its user's, who may put a link there to what only root can read, and files that are made
 * in it have to be that user's. From borrow_begin() to borrow_end() root's process acts as the owner of the
 * directory; another one, or one whose directory is root's, goes on as it is.
 */
struct borrow {
	bool on;
	gid_t gid;
};
/* 0 or -errno. */
int borrow_begin(struct borrow *b, const char *data_dir);
void borrow_end(struct borrow *b);

#endif
