/* SPDX-License-Identifier: MIT */
/* The local view's socket file: made without displacing a living daemon, and removed again. */
#ifndef PORTUNUS_EDGE_STATUS_LISTEN_H
#define PORTUNUS_EDGE_STATUS_LISTEN_H

#include <sys/types.h>

/*
 * Makes the socket file (0660, its directory 0750 where that is missing) and listens. A file that
 * nobody answers on is replaced. Returns the fd, or -errno: -EADDRINUSE when a daemon answers,
 * -ENOTSOCK when the path is something else.
 */
int status_listen(const char *path, dev_t *dev, ino_t *ino);
/* Closes, and removes the file if it is still the one that was made. */
void status_unlisten(int fd, const char *path, dev_t dev, ino_t ino);

#endif
