// SPDX-License-Identifier: MIT
/* Reading lines of JSON from a Unix socket. */
#include "view/lines.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ROOM_MIN       65536
#define LINE_BYTES_MAX (64u << 20)

int lines_open(struct lines *l, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int err;

	*l = (struct lines){.fd = -1};
	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, path);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	if (!connect(l->fd, (struct sockaddr *)&to, sizeof(to)))
		return 0;
	err = -errno;
	lines_close(l);
	return err;
}

void lines_close(struct lines *l)
{
	if (l->fd >= 0)
		close(l->fd);
	free(l->buf);
	*l = (struct lines){.fd = -1};
}

/* One line out of the buffer: 1, 0 or -errno as lines_next(). */
static int take(struct lines *l, json_t **line)
{
	char *end = l->scanned < l->n ? memchr(l->buf + l->scanned, '\n', l->n - l->scanned) : NULL;
	size_t len;

	if (!end) {
		l->scanned = l->n;
		return 0;
	}
	len = (size_t)(end - l->buf);
	*line = json_loadb(l->buf, len, 0, NULL);
	l->n -= len + 1;
	memmove(l->buf, end + 1, l->n);
	l->scanned = 0;
	return *line ? 1 : -EBADMSG;
}

static int make_room(struct lines *l)
{
	size_t room = l->room ? l->room * 2 : ROOM_MIN;
	char *buf;

	if (l->room - l->n >= ROOM_MIN / 2)
		return 0;
	if (room > LINE_BYTES_MAX)
		return -EMSGSIZE;
	buf = realloc(l->buf, room);
	if (!buf)
		return -ENOMEM;
	l->buf = buf;
	l->room = room;
	return 0;
}

int lines_next(struct lines *l, json_t **line)
{
	for (;;) {
		int rc = take(l, line);
		ssize_t got;

		if (rc)
			return rc;
		rc = make_room(l);
		if (rc)
			return rc;
		got = recv(l->fd, l->buf + l->n, l->room - l->n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (!got)
			return -ECONNRESET;
		l->n += (size_t)got;
	}
}
