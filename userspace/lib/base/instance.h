/* SPDX-License-Identifier: MIT */
/* What keeps two edges on one host apart: a lock and a socket for each instance. */
#ifndef PORTUNUS_LIB_BASE_INSTANCE_H
#define PORTUNUS_LIB_BASE_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define INSTANCE_DIR_MAX 80 /* a socket's path may have 108 bytes */

/*
 * Where locks and sockets live: @option (--run-dir) if given, else $RUNTIME_DIRECTORY (a unit's), else
 * /run/portunus, or for an ordinary user who has one $XDG_RUNTIME_DIR/portunus. -ENAMETOOLONG, or 0.
 */
int instance_run_dir(const char *option, char dir[INSTANCE_DIR_MAX]);

/* Whether an instance may have that name, which becomes part of file names. */
bool instance_name_ok(const char *name);

/*
 * Takes the lock of an instance ("" for the default one) in @dir, which is made with mode 0750 when
 * it is missing, so that two processes never share its pins. Returns the fd that holds it, or -errno;
 * -EBUSY with the holder's pid in @holder (0 if unknown).
 */
int instance_lock(const char *dir, const char *instance, pid_t *holder);

/* The pid that holds the lock; 0: nobody does; -ESRCH: somebody whose pid is not known yet; -errno. */
pid_t instance_holder(const char *dir, const char *instance);

/* "DIR/client.sock", or client-NAME.sock. */
void instance_socket(const char *dir, const char *instance, char *path, size_t size);

/*
 * The socket that a verb asks: where instance_run_dir() says; without an @option also in /run/portunus,
 * if an edge has its socket only there. -ENAMETOOLONG, or 0.
 */
int instance_find_socket(const char *option, const char *instance, char *path, size_t size);

#endif
