// SPDX-License-Identifier: MIT
/* The life of one HTTP/2 connection: turns, pumping, keep-alive, and the ways it ends. */
#include "lib/grpc/conn.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/clock.h"
#include "lib/base/utf8.h"

#define LATE_MS	   500 /* of a timer: the loop was busy elsewhere */
#define TURN_CALLS 256 /* callbacks of one turn, before the loop's other work gets its chance */

static void kick(struct grpc_conn *c)
{
	event_active(c->kick, EV_TIMEOUT, 0);
}

static void arm(struct grpc_conn *c, unsigned int ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	c->due_ns = clock_mono_ns() + ms * NS_PER_MS;
	evtimer_add(c->timer, &tv);
}

/* ---- the ways it ends ---- */

/* Keeps the reason of an end that is to come; the first one given stays. */
static void set_why(struct grpc_conn *c, int err, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
static void set_why(struct grpc_conn *c, int err, const char *fmt, va_list ap)
{
	if (c->why[0])
		return;
	c->err = err;
	utf8_vformat(c->why, sizeof(c->why), fmt, ap);
}

static void note(struct grpc_conn *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void note(struct grpc_conn *c, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_why(c, err, fmt, ap);
	va_end(ap);
}

void h2conn_fail(struct grpc_conn *c, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_why(c, err, fmt, ap);
	va_end(ap);
	c->state = CONN_DEAD;
	c->calls.dead = true;
	kick(c);
}

/*
 * Everything is said: closes the sending half and waits for the peer to do the same. Closing at once could
 * reset the connection, and destroy the GOAWAY on its way, if the peer has just sent something.
 */
static void linger(struct grpc_conn *c)
{
	SSL *ssl = bufferevent_openssl_get_ssl(c->bev);

	note(c, 0, "closed");
	c->state = CONN_LINGER;
	c->h2.refuse_new = true;
	c->mute = true;
	if (ssl) {
		SSL_shutdown(ssl);
		ERR_clear_error();
	}
	shutdown(bufferevent_getfd(c->bev), SHUT_WR);
	bufferevent_disable(c->bev, EV_WRITE);
	arm(c, c->limits.shutdown_ms);
}

static bool all_said(struct grpc_conn *c)
{
	if (nghttp2_session_want_write(c->h2.session) ||
	    evbuffer_get_length(bufferevent_get_output(c->bev)))
		return false;
	return c->mute || !nghttp2_session_want_read(c->h2.session);
}

void h2conn_shutdown(struct grpc_conn *c, const char *why)
{
	struct grpc_call *call;

	if (c->state == CONN_SETUP) {
		h2conn_fail(c, 0, "%s", why);
		return;
	}
	if (c->state != CONN_UP)
		return;
	note(c, 0, "%s", why);
	c->state = CONN_CLOSING;
	c->h2.refuse_new = true;
	nghttp2_submit_goaway(c->h2.session, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(c->h2.session),
			      NGHTTP2_NO_ERROR, (const uint8_t *)why, strlen(why));
	TAILQ_FOREACH (call, &c->calls.all, all) {
		if (c->h2.server)
			grpc_call_finish(call, GRPC_UNAVAILABLE, why);
		else
			grpc_call_cancel(call, GRPC_UNAVAILABLE, why);
	}
	arm(c, c->limits.shutdown_ms);
	kick(c);
}

static void on_calm(void *arg, const char *what)
{
	struct grpc_conn *c = arg;

	if (c->state != CONN_UP && c->state != CONN_CLOSING)
		return;
	note(c, -EPROTO, "the other end misbehaves: %s", what);
	c->state = CONN_CLOSING;
	c->h2.refuse_new = true;
	c->mute = true;
	nghttp2_submit_goaway(c->h2.session, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(c->h2.session),
			      NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)what, strlen(what));
	arm(c, c->limits.shutdown_ms);
	kick(c);
}

static void on_goaway(void *arg, int err, const char *why)
{
	note(arg, err, "%s", why);
}

static const struct h2_link_events link_events = {.calm = on_calm, .goaway = on_goaway};

void grpc_conn_close(struct grpc_conn *c)
{
	h2conn_shutdown(c, "closed by this side");
}

/* ---- turns ---- */

/* All that TLS will take now: nghttp2 is asked for more only while little is waiting below. */
static void pump(struct grpc_conn *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	size_t waiting = evbuffer_get_length(out);

	while (waiting + evbuffer_get_length(c->staged) < GRPC_OUTPUT_HIGH) {
		const uint8_t *data;
		ssize_t n = nghttp2_session_mem_send(c->h2.session, &data);

		if (n < 0 || (n > 0 && evbuffer_add(c->staged, data, (size_t)n))) {
			h2conn_fail(c, -EPROTO, "HTTP/2: %s",
				    n < 0 ? nghttp2_strerror((int)n) : "memory");
			return;
		}
		if (n == 0)
			break;
	}
	/* One addition is one TLS record where it fits: bufferevents write with every addition. */
	if (evbuffer_get_length(c->staged) && evbuffer_add_buffer(out, c->staged))
		h2conn_fail(c, -ENOMEM, "out of memory");
}

static void destroy(struct grpc_conn *c)
{
	struct grpc_call *call;

	c->role->ended(c);
	while ((call = TAILQ_FIRST(&c->calls.all)))
		h2call_destroy(call);
	if (c->bev)
		bufferevent_free(c->bev);
	nghttp2_session_del(c->h2.session);
	if (c->kick)
		event_free(c->kick);
	if (c->timer)
		event_free(c->timer);
	if (c->staged)
		evbuffer_free(c->staged);
	free(c);
}

/* Every call hears of the end, then the owner. No call can be opened on a dead connection, so this ends. */
static void die(struct grpc_conn *c)
{
	struct grpc_call *call;

	note(c, -ECONNABORTED, "closed");
	TAILQ_FOREACH (call, &c->calls.all, all) {
		h2call_end(call, GRPC_UNAVAILABLE, c->why);
		call->paused = false;
	}
	while (!c->silent && (call = TAILQ_FIRST(&c->calls.all)))
		h2call_deliver(call);
	destroy(c);
}

static void conn_turn(struct grpc_conn *c)
{
	struct grpc_call *call;

	c->in_turn = true;
	if (c->tell_up && !c->silent && c->state == CONN_UP) {
		c->tell_up = false;
		c->role->up(c);
	}
	for (int i = 0; i < TURN_CALLS && c->state != CONN_DEAD; i++) {
		call = TAILQ_FIRST(&c->calls.ready);
		if (!call)
			break;
		TAILQ_REMOVE(&c->calls.ready, call, ready);
		call->on_ready = false;
		h2call_deliver(call);
	}
	if (c->state == CONN_UP || c->state == CONN_CLOSING) {
		pump(c);
		if (c->state != CONN_DEAD && all_said(c))
			linger(c);
	}
	if (c->state == CONN_DEAD) {
		die(c);
		return;
	}
	c->in_turn = false;
	if (!TAILQ_EMPTY(&c->calls.ready))
		kick(c);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	conn_turn(arg);
}

/* ---- keep-alive and the other timers ---- */

static unsigned int ms_since(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? (unsigned int)((now_ns - then_ns) / NS_PER_MS) : 0;
}

/* Sleeps until the next moment at which something could be due; received bytes do not touch the timer. */
static void watch_link(struct grpc_conn *c)
{
	uint64_t now = clock_mono_ns();
	unsigned int silent = ms_since(c->rx_ns, now);
	unsigned int limit = c->limits.keepalive_ms;

	if (silent < limit)
		c->pinged = false;
	else if (!c->pinged) {
		c->pinged = true;
		nghttp2_submit_ping(c->h2.session, NGHTTP2_FLAG_NONE, NULL);
	}
	if (c->pinged)
		limit += c->limits.keepalive_reply_ms;
	if (silent >= limit && ms_since(c->due_ns, now) > LATE_MS) {
		/* It was us who did nothing for a while; the answer may be waiting in the socket. */
		arm(c, LATE_MS);
		return;
	}
	if (silent >= limit) {
		h2conn_fail(c, -ETIMEDOUT, "no answer to a keep-alive: nothing received for %u ms",
			    silent);
		return;
	}
	limit -= silent;
	if (c->h2.server && TAILQ_EMPTY(&c->calls.all)) {
		unsigned int idle = ms_since(c->calls.idle_ns, now);

		if (idle >= c->limits.idle_ms) {
			h2conn_shutdown(c, "no call");
			return;
		}
		if (c->limits.idle_ms - idle < limit)
			limit = c->limits.idle_ms - idle;
	}
	arm(c, limit);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_conn *c = arg;

	switch (c->state) {
	case CONN_SETUP:
		h2conn_fail(c, -ETIMEDOUT, "not connected within %u ms", c->limits.setup_ms);
		break;
	case CONN_UP:
		watch_link(c);
		break;
	case CONN_CLOSING:
	case CONN_LINGER:
	case CONN_DEAD:
		h2conn_fail(c, -ETIMEDOUT, "the other end did not let the connection close");
		break;
	}
	conn_turn(c);
}

/* ---- the bufferevent ---- */

static void feed(struct grpc_conn *c, struct evbuffer *in)
{
	while (!c->mute && evbuffer_get_length(in)) {
		struct evbuffer_iovec v;
		ssize_t n;

		evbuffer_peek(in, -1, NULL, &v, 1);
		n = nghttp2_session_mem_recv(c->h2.session, v.iov_base, v.iov_len);
		if (n < 0) {
			h2conn_fail(c, -EPROTO, "HTTP/2: %s", nghttp2_strerror((int)n));
			return;
		}
		evbuffer_drain(in, v.iov_len);
	}
	evbuffer_drain(in, evbuffer_get_length(in));
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct grpc_conn *c = arg;

	c->rx_ns = clock_mono_ns();
	if (c->state != CONN_DEAD)
		feed(c, bufferevent_get_input(bev));
	conn_turn(c);
}

/* The output has fallen to GRPC_OUTPUT_LOW. */
static void on_write(struct bufferevent *bev, void *arg)
{
	conn_turn(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct grpc_conn *c = arg;
	int err = EVUTIL_SOCKET_ERROR();

	if (c->state == CONN_LINGER)
		h2conn_fail(c, 0, "closed"); /* why is set already */
	else if (what & BEV_EVENT_EOF)
		h2conn_fail(c, -ECONNRESET, "the other end closed the connection");
	else if (err)
		h2conn_fail(c, -err, "connection lost: %s", strerror(err));
	else
		h2conn_fail(c, -ECONNRESET, "connection lost: TLS error");
	conn_turn(c);
}

/* ---- beginning and end ---- */

static void set_default(unsigned int *v, unsigned int d)
{
	if (!*v)
		*v = d;
}

static void fill_limits(struct grpc_limits *l)
{
	set_default(&l->setup_ms, 10000);
	set_default(&l->keepalive_ms, 20000);
	set_default(&l->keepalive_reply_ms, 8000);
	set_default(&l->idle_ms, 60000);
	set_default(&l->shutdown_ms, 2000);
	set_default(&l->calls_max, 128);
	if (!l->message_max)
		l->message_max = GRPC_MESSAGE_MAX;
	if (!l->queue_max)
		l->queue_max = 1 << 20;
}

struct grpc_conn *h2conn_new(struct event_base *base, const struct h2conn_role *role, void *owner,
			     const struct grpc_limits *limits)
{
	struct grpc_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct grpc_conn){.base = base, .role = role, .owner = owner, .limits = *limits};
	c->h2 = (struct h2){.server = role->server,
			    .streams = &h2call_events,
			    .streams_arg = &c->calls,
			    .link = &link_events,
			    .link_arg = c};
	TAILQ_INIT(&c->calls.all);
	TAILQ_INIT(&c->calls.ready);
	fill_limits(&c->limits);
	c->kick = event_new(base, -1, 0, on_kick, c);
	c->timer = evtimer_new(base, on_timer, c);
	c->staged = evbuffer_new();
	c->calls.conn = c;
	c->calls.h2 = &c->h2;
	c->calls.limits = &c->limits;
	c->calls.kick = c->kick;
	c->calls.incoming = role->call;
	if (!c->kick || !c->timer || !c->staged || h2_init(&c->h2, c->limits.calls_max)) {
		if (c->kick)
			event_free(c->kick);
		if (c->timer)
			event_free(c->timer);
		if (c->staged)
			evbuffer_free(c->staged);
		free(c);
		return NULL;
	}
	arm(c, c->limits.setup_ms);
	return c;
}

void h2conn_start(struct grpc_conn *c, struct bufferevent *bev)
{
	c->bev = bev;
	c->state = CONN_UP;
	c->tell_up = true;
	c->rx_ns = c->calls.idle_ns = clock_mono_ns();
	bufferevent_setcb(bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(bev, EV_WRITE, GRPC_OUTPUT_LOW, 0);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	watch_link(c);
	kick(c);
}

void grpc_conn_free(struct grpc_conn *c)
{
	struct grpc_call *call;

	c->silent = true;
	c->state = CONN_DEAD;
	c->calls.dead = true;
	TAILQ_FOREACH (call, &c->calls.all, all)
		h2call_silence(call);
	if (c->in_turn)
		kick(c);
	else
		destroy(c);
}

const union addr *grpc_conn_peer(const struct grpc_conn *c)
{
	return &c->peer;
}
