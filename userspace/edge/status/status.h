/* SPDX-License-Identifier: MIT */
/* The local view: its socket, who is let in, and the parts it is made of. */
#ifndef PORTUNUS_EDGE_STATUS_STATUS_H
#define PORTUNUS_EDGE_STATUS_STATUS_H

#include "edge/status/config.h"

struct status;

/*
 * Serves the local view on a Unix stream socket (mode 0660): one request line of JSON of at most
 * 4 KiB, one answer, then it is closed. A stale socket file is replaced; a living daemon's is not
 * (EADDRINUSE). SIGPIPE has to be ignored. NULL with errno set. Main thread.
 */
struct status *status_new(const struct status_config *config);
/* Closes every connection and removes the socket file. Before the refresher and the workers go. */
void status_free(struct status *s);

#endif
