/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_LIB_INSTANCE_H
#define PORTUNUS_LIB_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Where sockets and locks live; made with mode 0750 when it is missing. */
#define INSTANCE_RUN_DIR "/run/portunus"

/* Whether an instance may have that name, which becomes part of file names. */
bool instance_name_ok(const char *name);

/*
 * Takes the lock of an instance ("" for the default one), so that two processes never share its pins.
 * Returns the fd that holds it, or -errno; -EBUSY with the holder's pid in @holder (0 if unknown).
 */
int instance_lock(const char *instance, pid_t *holder);

/* The pid that holds the lock; 0: nobody does; -ESRCH: somebody whose pid is not known yet; -errno. */
pid_t instance_holder(const char *instance);

/* "/run/portunus/client.sock", or client-NAME.sock. */
void instance_socket(const char *instance, char *path, size_t size);

#endif
