/* SPDX-License-Identifier: MIT */
/* Reading lines of JSON from a Unix socket. */
#ifndef PORTUNUS_VIEW_LINES_H
#define PORTUNUS_VIEW_LINES_H

#include <stddef.h>

struct json_t;

/* A connection. Owned by its only user; .fd is -1 when there is none. */
struct lines {
	int fd;
	char *buf;
	size_t n, room, scanned; /* of .n bytes the first .scanned have no end of line */
};

/* Connects; a non-blocking socket. 0 or -errno, then .fd is -1. */
int lines_open(struct lines *l, const char *path);
void lines_close(struct lines *l);

/*
 * The next line that has come whole: a new reference in *@line. Returns 1, 0 when there is none yet, or -errno:
 * -ECONNRESET at the end, -EBADMSG for what is no JSON, -EMSGSIZE for a line beyond 64 MiB.
 */
int lines_next(struct lines *l, struct json_t **line);

#endif
