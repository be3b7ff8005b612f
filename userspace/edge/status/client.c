// SPDX-License-Identifier: MIT
/* One client of the local view or of /metrics: its request, its answer as it takes it, its time. */
#include "edge/status/client.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 32
#define REQUEST_MAX 4096
#define LOW_WATER   (64 * 1024) /* of unsent bytes: the next piece is made */

static const struct timeval client_timeout = {.tv_sec = 10};

void client_free(struct client *c)
{
	if (c->bev) {
		bufferevent_free(c->bev);
		c->bev = NULL;
	}
	if (c->deadline) {
		event_free(c->deadline);
		c->deadline = NULL;
	}
	c->gone = true;
	if (c->away)
		return;
	TAILQ_REMOVE(&c->list->all, c, entry);
	c->list->n--;
	if (c->forget)
		c->forget(c->answer);
	free(c);
}

struct evbuffer *client_output(struct client *c)
{
	return bufferevent_get_output(c->bev);
}

void client_again(struct client *c)
{
	bufferevent_trigger(c->bev, EV_WRITE,
			    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void client_finish(struct client *c, const char *tail)
{
	c->more = NULL;
	evbuffer_add(client_output(c), tail, strlen(tail));
}

/* ---- the request ---- */

static void handle(struct client *c, const char *line, size_t len)
{
	c->asked = true;
	event_del(c->deadline);
	bufferevent_disable(c->bev, EV_READ);
	c->list->handle(c, line, len);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct client *c = arg;
	size_t len = c->list->kind->request_len(in);
	const char *request = len && len <= REQUEST_MAX ? (const char *)evbuffer_pullup(in, -1)
							: NULL;

	if (request)
		handle(c, request, len);
	else if (len || evbuffer_get_length(in) > REQUEST_MAX)
		handle(c, NULL, 0);
}

/* Closing a socket with unread input resets the peer; what came after its request is dropped. */
static void discard_input(struct client *c)
{
	char buf[4096];
	int fd = bufferevent_getfd(c->bev);

	for (unsigned i = 0; i < 16 && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0; i++)
		;
}

/* All but LOW_WATER is with the kernel. */
static void on_write(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;

	if (c->more) {
		c->more(c);
	} else if (c->asked && !c->away && !evbuffer_get_length(bufferevent_get_output(bev))) {
		discard_input(c);
		client_free(c);
	}
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in);

	/* A request may also end with the sender's end, and that may come after the request. */
	if ((what & BEV_EVENT_EOF) && c->list->kind->ends_with_input && !c->asked && len &&
	    len <= REQUEST_MAX)
		handle(c, (const char *)evbuffer_pullup(in, -1), len);
	else
		client_free(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	client_free(arg);
}

/* ---- coming ---- */

static void refuse(struct client_list *l, int fd)
{
	send(fd, l->kind->busy, strlen(l->kind->busy), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

/* Makes room by ending the oldest client that has not asked yet: a silent one keeps nobody out. */
static bool make_room(struct client_list *l)
{
	struct client *c;

	if (l->n < CLIENTS_MAX)
		return true;
	TAILQ_FOREACH (c, &l->all, entry) {
		if (!c->asked) {
			client_free(c);
			return true;
		}
	}
	return false;
}

void client_accept(struct client_list *l, int fd)
{
	struct client *c;

	if (!make_room(l)) {
		refuse(l, fd);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	c->list = l;
	TAILQ_INSERT_TAIL(&l->all, c, entry);
	l->n++;
	c->bev = bufferevent_socket_new(l->base, fd, BEV_OPT_CLOSE_ON_FREE);
	c->deadline = evtimer_new(l->base, on_deadline, c);
	if (!c->bev || !c->deadline) {
		if (!c->bev)
			close(fd);
		client_free(c);
		return;
	}
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, REQUEST_MAX + 1);
	bufferevent_setwatermark(c->bev, EV_WRITE, LOW_WATER, 0);
	/* For a client that does not take its answer; the request has an absolute deadline. */
	bufferevent_set_timeouts(c->bev, NULL, &client_timeout);
	event_add(c->deadline, &client_timeout);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

void client_list_init(struct client_list *l, struct event_base *base,
		      const struct client_kind *kind,
		      void (*handler)(struct client *c, const char *line, size_t len), void *arg)
{
	*l = (struct client_list){.base = base, .kind = kind, .handle = handler, .arg = arg};
	TAILQ_INIT(&l->all);
}

void client_list_end(struct client_list *l)
{
	struct client *c, *next;

	for (c = TAILQ_FIRST(&l->all); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		client_free(c);
	}
}
