// SPDX-License-Identifier: MIT
/* The local view's socket: who connects, what they ask, and until when they may take the answer. */
#include "edge/status.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/status_internal.h"
#include "edge/worker.h"
#include "lib/clock.h"

#define CLIENTS_MAX	32
#define REQUEST_MAX	4096
#define LOW_WATER	(64 * 1024) /* of unsent bytes: the next piece is made */
#define ACCEPT_PAUSE_MS 500

static const struct timeval client_timeout = {.tv_sec = 10};
static const struct timeval accept_pause = {.tv_usec = ACCEPT_PAUSE_MS * 1000};

void client_free(struct client *c)
{
	struct status *s = c->status;

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
	TAILQ_REMOVE(&s->clients, c, entry);
	s->n_clients--;
	free(c->ids);
	free(c->chunk);
	free(c->seen);
	free(c);
}

static void stop_reading(struct client *c)
{
	c->asked = true;
	event_del(c->deadline);
	bufferevent_disable(c->bev, EV_READ);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct client *c = arg;
	size_t len;
	char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);

	if (line && len <= REQUEST_MAX) {
		stop_reading(c);
		client_handle(c, line, len);
	} else if (line || evbuffer_get_length(in) > REQUEST_MAX) {
		stop_reading(c);
		client_answer_error(c, "invalid_request", "the request is longer than 4 KiB");
	}
	free(line);
}

/* Closing a Unix socket with unread input resets the peer; what came after its request is dropped. */
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
	if ((what & BEV_EVENT_EOF) && !c->asked && len && len <= REQUEST_MAX) {
		stop_reading(c);
		client_handle(c, (const char *)evbuffer_pullup(in, -1), len);
	} else {
		client_free(c);
	}
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	client_free(arg);
}

/* ---- accepting ---- */

/* The verbs know this answer by its beginning, and try again for a while. */
static void refuse(int fd)
{
	static const char busy[] = "{\"error\":{\"code\":\"busy\",\"message\":"
				   "\"32 others ask just now; try again\"}}\n";

	send(fd, busy, sizeof(busy) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

/* Makes room by ending the oldest client that has not asked yet: those must not keep others out. */
static bool make_room(struct status *s)
{
	struct client *c;

	if (s->n_clients < CLIENTS_MAX)
		return true;
	c = TAILQ_FIRST(&s->clients);
	while (c && c->asked)
		c = TAILQ_NEXT(c, entry);
	if (!c)
		return false;
	client_free(c);
	return true;
}

static void client_new(struct status *s, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	c->status = s;
	TAILQ_INSERT_TAIL(&s->clients, c, entry);
	s->n_clients++;
	c->bev = bufferevent_socket_new(s->config.base, fd, BEV_OPT_CLOSE_ON_FREE);
	c->deadline = evtimer_new(s->config.base, on_deadline, c);
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

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct status *s = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 && make_room(s)) {
		client_new(s, fd);
	} else if (fd >= 0) {
		refuse(fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		/* The queue stays readable: without a pause this would spin. */
		event_del(s->listening);
		event_add(s->resume, &accept_pause);
	}
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct status *s = arg;

	event_add(s->listening, NULL);
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	mailbox_run(arg);
}

struct status *status_new(const struct status_config *config)
{
	struct status *s = calloc(1, sizeof(*s));
	int err = ENOMEM;

	if (!s)
		return NULL;
	s->config = *config;
	s->started_ns = clock_mono_ns();
	TAILQ_INIT(&s->clients);
	s->path = strdup(config->path);
	if (!s->path || mailbox_init(&s->mailbox) < 0)
		goto err_free;
	s->refresher = refresher_new(config->base, config->account);
	if (!s->refresher) {
		err = errno;
		goto err_mailbox;
	}
	s->fd = status_listen(s->path, &s->dev, &s->ino);
	if (s->fd < 0) {
		err = -s->fd;
		goto err_refresher;
	}
	s->mail = event_new(config->base, s->mailbox.fd, EV_READ | EV_PERSIST, on_mail,
			    &s->mailbox);
	s->listening = event_new(config->base, s->fd, EV_READ | EV_PERSIST, on_accept, s);
	s->resume = evtimer_new(config->base, on_resume, s);
	if (s->mail && s->listening && s->resume && !event_add(s->mail, NULL) &&
	    !event_add(s->listening, NULL))
		return s;
	status_free(s);
	errno = ENOMEM;
	return NULL;

err_refresher:
	refresher_free(s->refresher);
err_mailbox:
	mailbox_close(&s->mailbox);
err_free:
	free(s->path);
	free(s);
	errno = err;
	return NULL;
}

void status_free(struct status *s)
{
	struct client *c, *next;

	if (!s)
		return;
	s->stopping = true;
	/* What is with others comes back first: from the refresher, then from the workers, which may
	 * have been stopped already if nothing is with them. */
	for (c = TAILQ_FIRST(&s->clients); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		client_free(c);
	}
	refresher_free(s->refresher);
	mailbox_run(&s->mailbox);
	if (s->fetching)
		workers_barrier(s->config.workers, s->config.n_workers);
	mailbox_close(&s->mailbox);
	if (s->listening)
		event_free(s->listening);
	if (s->resume)
		event_free(s->resume);
	if (s->mail)
		event_free(s->mail);
	status_unlisten(s->fd, s->path, s->dev, s->ino);
	free(s->path);
	free(s);
}
