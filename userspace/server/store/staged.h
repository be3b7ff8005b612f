/* SPDX-License-Identifier: MIT */
/* Several files of the data directory that are replaced together, whatever happens in between. */
#ifndef PORTUNUS_SERVER_STORE_STAGED_H
#define PORTUNUS_SERVER_STORE_STAGED_H

#include <stdbool.h>

/*
 * They are made in a directory of their own, STAGED_NEW, which then gets the name STAGED_READY: that is the
 * moment of change. Each is then moved to its place; whoever takes the lock of the data directory next goes on
 * where that was broken off. A file whose name ends with STAGED_GONE stands for one that is to be removed.
 * All functions want the lock.
 */
#define STAGED_NEW   "restore.new"
#define STAGED_READY "restore.ready"
#define STAGED_GONE  ".gone"

/* An empty STAGED_NEW; what was left of another goes. Returns its descriptor, or -errno. */
int staged_begin(int dir);
/* Gives up what is in STAGED_NEW. */
void staged_drop(int dir);
/* Everything in it is synced, becomes the state of the directory and is put in place. 0 or -errno. */
int staged_commit(int dir, int staged);
/* Puts in place what is ready, and drops what is not. 0 or -errno. */
int staged_finish(int dir);
/* Whether something is ready. Without the lock. */
bool staged_is_ready(int dir);

#endif
