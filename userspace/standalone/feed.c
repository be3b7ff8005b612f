// SPDX-License-Identifier: MIT
/* The stats socket: a greeting that names the rules, then figures at regular intervals, as lines of JSON. */
#include "standalone/feed.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/status/listen.h"
#include "edge/watch/refresh.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "standalone/config.h"
#include "standalone/feed_json.h"

#define READERS_MAX    16
#define ROWS_AT_A_TIME 32		/* the loop goes on after so many rules */
#define STUCK_NS       (5 * NS_PER_SEC) /* for one snapshot */
#define REFRESH_MS_MIN 250
#define HEAD_SIZE      256

/* Main thread. */
struct reader {
	struct feed *feed;
	LIST_ENTRY(reader) entry;
	struct bufferevent *bev;
	uint64_t seq;
	uint64_t sent_ns; /* when it was given the last line */
};

/* Main thread. */
struct feed {
	struct feed_parts parts;
	const struct config *config;
	char *path, *hello;
	dev_t dev; /* of the socket file */
	ino_t ino;
	int fd;
	uint64_t started_ns, started_unix_ms;
	struct event *listening, *tick, *turn;
	struct refresh refresh;
	bool refreshing;
	struct evbuffer *rows; /* of the snapshot that is being made */
	size_t next;	       /* the rule whose row comes next */
	bool gathering;
	LIST_HEAD(, reader) readers;
	unsigned n_readers;
};

/* ---- readers ---- */

static void drop(struct reader *r)
{
	LIST_REMOVE(r, entry);
	r->feed->n_readers--;
	bufferevent_free(r->bev);
	free(r);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	drop(arg);
}

/* Readers have nothing to say. */
static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);

	evbuffer_drain(in, evbuffer_get_length(in));
}

static void begin(struct feed *f);

static void add_reader(struct feed *f, int fd)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (!r) {
		close(fd);
		return;
	}
	r->feed = f;
	r->sent_ns = clock_mono_ns();
	r->bev = bufferevent_socket_new(f->parts.base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!r->bev) {
		close(fd);
		free(r);
		return;
	}
	LIST_INSERT_HEAD(&f->readers, r, entry);
	f->n_readers++;
	bufferevent_setcb(r->bev, on_read, NULL, on_event, r);
	bufferevent_enable(r->bev, EV_READ | EV_WRITE);
	bufferevent_write(r->bev, f->hello, strlen(f->hello));
	bufferevent_write(r->bev, "\n", 1);
	begin(f);
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct feed *f = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (f->n_readers == READERS_MAX)
		close(fd);
	else
		add_reader(f, fd);
}

/* ---- snapshots ---- */

/* Who has not taken the last one yet does without this one; who takes nothing for long is ended. */
static void send_to(struct feed *f, struct reader *r, uint64_t now)
{
	struct evbuffer *out = bufferevent_get_output(r->bev);
	char head[HEAD_SIZE];

	if (evbuffer_get_length(out)) {
		if (now - r->sent_ns > STUCK_NS)
			drop(r);
		return;
	}
	r->sent_ns = now;
	feed_head(head, sizeof(head), (now - f->started_ns) / NS_PER_MS, ++r->seq);
	evbuffer_add(out, head, strlen(head));
	evbuffer_add(out, evbuffer_pullup(f->rows, -1), evbuffer_get_length(f->rows));
	evbuffer_add(out, "]}\n", 3);
}

static void send_all(struct feed *f)
{
	uint64_t now = clock_mono_ns();
	struct reader *next;

	for (struct reader *r = LIST_FIRST(&f->readers); r; r = next) {
		next = LIST_NEXT(r, entry);
		send_to(f, r, now);
	}
}

/* A few rows, then the loop's other work. */
static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct feed *f = arg;

	for (size_t i = 0; i < ROWS_AT_A_TIME && f->next < f->config->n; i++, f->next++) {
		char *row = feed_figures(&f->config->names[f->next], f->parts.table,
					 f->parts.account);

		if (row && evbuffer_get_length(f->rows))
			evbuffer_add(f->rows, ",", 1);
		if (row)
			evbuffer_add(f->rows, row, strlen(row));
		free(row);
	}
	if (f->next < f->config->n) {
		event_active(f->turn, EV_TIMEOUT, 0);
		return;
	}
	f->gathering = false;
	send_all(f);
}

static void gather(struct feed *f)
{
	evbuffer_drain(f->rows, evbuffer_get_length(f->rows));
	f->next = 0;
	f->gathering = true;
	event_active(f->turn, EV_TIMEOUT, 0);
}

static void on_refreshed(struct refresh *refresh)
{
	struct feed *f = container_of(refresh, struct feed, refresh);

	f->refreshing = false;
	if (!f->gathering)
		gather(f);
}

/* Nobody reads: nothing is asked of the kernel. */
static void begin(struct feed *f)
{
	if (f->refreshing || !f->n_readers)
		return;
	f->refreshing = true;
	refresher_ask(f->parts.refresher, &f->refresh);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	begin(arg);
}

/* ---- life ---- */

/* Where the socket is switched off the number was not checked, and a reload leaves the socket. */
static int set_tick(struct feed *f)
{
	const uint32_t ms = f->config->settings.refresh_ms < REFRESH_MS_MIN
				    ? REFRESH_MS_MIN
				    : f->config->settings.refresh_ms;
	const struct timeval every = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	return event_add(f->tick, &every);
}

void feed_reconfigure(struct feed *f, const struct config *config)
{
	char *hello = feed_hello(config, f->parts.table, f->started_unix_ms);
	struct reader *r;

	f->config = config;
	set_tick(f);
	if (f->gathering)
		gather(f);
	if (!hello || !strcmp(hello, f->hello)) {
		free(hello);
		return;
	}
	free(f->hello);
	f->hello = hello;
	while ((r = LIST_FIRST(&f->readers)))
		drop(r);
}

void feed_free(struct feed *f)
{
	struct reader *r;

	if (!f)
		return;
	if (f->refreshing)
		refresher_settle(f->parts.refresher);
	while ((r = LIST_FIRST(&f->readers)))
		drop(r);
	if (f->listening)
		event_free(f->listening);
	if (f->tick)
		event_free(f->tick);
	if (f->turn)
		event_free(f->turn);
	if (f->fd >= 0)
		status_unlisten(f->fd, f->path, f->dev, f->ino);
	if (f->rows)
		evbuffer_free(f->rows);
	free(f->hello);
	free(f->path);
	free(f);
}

struct feed *feed_new(const struct feed_parts *parts, const struct config *config, const char *path)
{
	struct feed *f = calloc(1, sizeof(*f));
	int err = ENOMEM;

	if (!f)
		return NULL;
	f->parts = *parts;
	f->config = config;
	f->fd = -1;
	f->started_ns = clock_mono_ns();
	f->started_unix_ms = clock_wall_ms();
	f->refresh.done = on_refreshed;
	f->path = strdup(path);
	f->rows = evbuffer_new();
	f->hello = feed_hello(config, parts->table, f->started_unix_ms);
	f->tick = event_new(parts->base, -1, EV_PERSIST, on_tick, f);
	f->turn = event_new(parts->base, -1, 0, on_turn, f);
	if (!f->path || !f->rows || !f->hello || !f->tick || !f->turn)
		goto err;
	f->fd = status_listen(path, &f->dev, &f->ino);
	if (f->fd < 0) {
		err = -f->fd;
		goto err;
	}
	err = ENOMEM;
	f->listening = event_new(parts->base, f->fd, EV_READ | EV_PERSIST, on_accept, f);
	if (f->listening && !event_add(f->listening, NULL) && !set_tick(f))
		return f;

err:
	feed_free(f);
	errno = err;
	return NULL;
}
