/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_STATUS_H
#define PORTUNUS_EDGE_STATUS_H

#include <stddef.h>
#include <stdint.h>

struct account;
struct control;
struct edge;
struct event_base;
struct status;
struct worker;

struct status_config {
	struct event_base *base;
	struct edge *edge;
	struct account *account;
	struct worker *workers;
	unsigned n_workers;
	const char *path;	       /* of the Unix socket */
	const char *instance;	       /* "" for the default one */
	const char *rules_from;	       /* "file PATH", "server HOST:PORT", … */
	const struct control *control; /* NULL: there is no server */
	uint64_t started_unix_ms;
};

/*
 * Serves the local view on a Unix stream socket (mode 0660): one request line of JSON of at most
 * 4 KiB, one answer, then it is closed. A stale socket file is replaced; a living daemon's is not
 * (EADDRINUSE). @path is copied, the other strings have to outlive the result. SIGPIPE has to be
 * ignored. NULL with errno set. Main thread.
 */
struct status *status_new(const struct status_config *config);
/* Closes every connection and removes the socket file. Comes before the workers and the edge go. */
void status_free(struct status *s);

#endif
