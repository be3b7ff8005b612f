/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_INSTANCE_H
#define PORTUNUS_EDGE_INSTANCE_H

#include <stddef.h>
#include <sys/types.h>

/* Where sockets and locks live; made with mode 0750 when it is missing. */
#define INSTANCE_RUN_DIR "/run/portunus"

/*
 * Takes the lock of an instance ("" for the default one), so that two processes never share its pins.
 * Returns the fd that holds it, or -errno; -EBUSY with the holder's pid in @holder (0 if unknown).
 */
int instance_lock(const char *instance, pid_t *holder);

/* "/run/portunus/client.sock", or client-NAME.sock. */
void instance_socket(const char *instance, char *path, size_t size);

#endif
