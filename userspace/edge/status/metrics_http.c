// SPDX-License-Identifier: MIT
/* GET /metrics of the edge itself, for Prometheus, on a port or on a Unix socket. */
#include "edge/status/metrics_http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/status/answer.h"
#include "edge/status/client.h"
#include "edge/status/door.h"
#include "edge/status/listen.h"
#include "lib/base/addr.h"
#include "lib/base/late_bind.h"
#include "lib/base/log.h"

#define BACKLOG 64

struct metrics_http {
	int fd;
	char *path; /* NULL: a port */
	dev_t dev;  /* of the socket file */
	ino_t ino;
	struct door door;
	struct client_list clients;
};

/* ---- requests ---- */

/* The answer ends where the connection does, which even HTTP/1.0 knows; nothing is said of its length. */
#define HEAD(status) "HTTP/1.1 " status "\r\nConnection: close\r\n"
#define PLAIN	     "Content-Type: text/plain; charset=utf-8\r\n\r\n"

static const char busy[] = HEAD("503 Service Unavailable") "Retry-After: 1\r\n" PLAIN
							   "32 others ask just now\n";

/* To the empty line; a body is none of ours. */
static size_t head_len(struct evbuffer *in)
{
	static const char *const ends[] = {"\r\n\r\n", "\n\n", "\n\r\n"};
	size_t len = 0;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct evbuffer_ptr at = evbuffer_search(in, ends[i], strlen(ends[i]), NULL);
		size_t end = at.pos < 0 ? 0 : (size_t)at.pos + strlen(ends[i]);

		if (end && (!len || end < len))
			len = end;
	}
	return len;
}

static const struct client_kind heads = {head_len, false, busy};

/* Whether @text, which ends at @end, begins with the word, and where the rest of it begins. */
static bool skip(const char **text, const char *end, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(end - *text) < n || memcmp(*text, word, n))
		return false;
	*text += n;
	return true;
}

static void answer_request(struct client *c, const char *head, size_t len)
{
	static const char ask[] = "{\"verb\":\"metrics\"}";
	const char *at = head, *end = head ? head + len : NULL;
	bool get = head && skip(&at, end, "GET "),
	     only_head = head && !get && skip(&at, end, "HEAD ");
	struct evbuffer *out = client_output(c);

	if (!head) {
		client_finish(c, HEAD("431 Request Header Fields Too Large") "\r\n");
	} else if (!get && !only_head) {
		client_finish(c, HEAD("405 Method Not Allowed") "Allow: GET, HEAD\r\n\r\n");
	} else if (!skip(&at, end, "/metrics") || (*at != ' ' && *at != '?')) {
		client_finish(c, HEAD("404 Not Found") PLAIN "There is only /metrics.\n");
	} else {
		evbuffer_add_printf(out, HEAD("200 OK") "Content-Type: text/plain; version=0.0.4; "
							"charset=utf-8\r\n\r\n");
		if (only_head)
			client_finish(c, "");
		else
			answer_handle(c, ask, sizeof(ask) - 1);
	}
}

/* ---- life ---- */

static int read_place(const char *where, union addr *at)
{
	char host[ADDR_TEXT_MAX];
	uint16_t port;

	return addr_split(where, host, sizeof(host), &port) ? -EINVAL
							    : addr_parse_literal(host, port, at);
}

bool metrics_http_place_ok(const char *where)
{
	union addr at;

	return *where == '/' || !read_place(where, &at);
}

static int listen_port(const char *where)
{
	const int on = 1;
	union addr at;
	int fd, err = read_place(where, &at);

	if (err)
		return err;
	fd = socket(at.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	err = late_bind(fd, &at);
	if (!err && listen(fd, BACKLOG) < 0)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static void unlisten(struct metrics_http *h)
{
	if (h->path)
		status_unlisten(h->fd, h->path, h->dev, h->ino);
	else
		close(h->fd);
	free(h->path);
	free(h);
}

int metrics_http_open(struct metrics_http **http, const char *where, struct event_base *base,
		      struct answers *answers)
{
	struct metrics_http *h = calloc(1, sizeof(*h));
	int err = -ENOMEM;

	if (!h)
		return -ENOMEM;
	if (*where == '/') {
		h->path = strdup(where);
		if (!h->path)
			goto err_free;
	}
	h->fd = h->path ? status_listen(h->path, &h->dev, &h->ino) : listen_port(where);
	if (h->fd < 0) {
		err = h->fd;
		goto err_free;
	}
	client_list_init(&h->clients, base, &heads, answer_request, answers);
	err = door_open(&h->door, h->fd, &h->clients);
	if (err) {
		unlisten(h);
		return err;
	}
	*http = h;
	return 0;

err_free:
	free(h->path);
	free(h);
	return err;
}

void metrics_http_close(struct metrics_http *http)
{
	if (!http)
		return;
	client_list_end(&http->clients);
	door_close(&http->door);
	unlisten(http);
}
