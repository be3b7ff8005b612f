// SPDX-License-Identifier: MIT
/* Connection limits, request deadlines and size limits around evhttp. */
#include "api/conn.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <openssl/ssl.h>

#include "lib/clock.h"

#define BUCKETS	     1024
#define SWEEP_MS     250
#define LINGER_SECS  2
#define REFUSED_READ 65536

/*
 * One connection. We hold a reference on its bufferevent, so that it can be looked at safely; that
 * evhttp has let go shows in its callbacks being NULL.
 */
struct conn {
	TAILQ_ENTRY(conn) all; /* oldest first: of a batch, those beyond a limit came last */
	LIST_ENTRY(conn) bucket;
	struct conns *owner;
	struct bufferevent *bev;
	SSL *ssl;
	union addr peer;
	uint64_t deadline_ns; /* 0: none */
	size_t header_bytes, body_bytes;
	unsigned char line_end; /* how much of "\r\n\r\n" the last bytes were */
	bool checked;		/* against the limits of numbers */
	bool receiving;		/* a request has begun to arrive */
	bool in_body, busy, streaming;
	int refuse; /* status to refuse it with, soon */
	bool refused;
	bool unasked; /* evhttp itself has begun an answer */
	/* evhttp's callbacks, while it is refused and ours are in place. */
	bufferevent_data_cb on_read, on_write;
	bufferevent_event_cb on_event;
	void *on_arg;
};

struct conns {
	struct event_base *base;
	struct ssl_ctx_st *tls;
	TAILQ_HEAD(, conn) list;
	LIST_HEAD(, conn) buckets[BUCKETS];
	unsigned n;
	struct event *sweep, *kick;
};

static size_t bucket_of(const struct bufferevent *bev)
{
	return ((uintptr_t)bev >> 6) % BUCKETS;
}

static struct conn *find(struct conns *all, struct evhttp_request *req)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	struct bufferevent *bev = evcon ? evhttp_connection_get_bufferevent(evcon) : NULL;
	struct conn *c;

	LIST_FOREACH(c, &all->buckets[bucket_of(bev)], bucket)
	if (c->bev == bev)
		return c;
	return NULL;
}

static void release(struct conn *c)
{
	TAILQ_REMOVE(&c->owner->list, c, all);
	LIST_REMOVE(c, bucket);
	c->owner->n--;
	bufferevent_decref(c->bev);
	SSL_free(c->ssl);
	free(c);
}

/* Asks for a refusal outside of the callbacks that noticed the reason. */
static void refuse_soon(struct conn *c, int status)
{
	if (!c->refuse && !c->refused) {
		c->refuse = status;
		event_active(c->owner->kick, EV_TIMEOUT, 0);
	}
}

/* Follows the end of the header through one byte; "\n\n" ends it as well (RFC 9112, 2.2). */
static bool header_ends(struct conn *c, unsigned char byte)
{
	if (byte == '\n') {
		c->line_end++;
		return c->line_end == 2;
	}
	if (byte != '\r')
		c->line_end = 0;
	return false;
}

/* Counts the @n bytes that were just added to @buffer. */
static void count_bytes(struct conn *c, struct evbuffer *buffer, size_t n)
{
	struct evbuffer_iovec part[8];
	struct evbuffer_ptr at;
	int parts;

	if (c->in_body) {
		c->body_bytes += n;
		return;
	}
	evbuffer_ptr_set(buffer, &at, evbuffer_get_length(buffer) - n, EVBUFFER_PTR_SET);
	parts = evbuffer_peek(buffer, (ev_ssize_t)n, &at, part, 8);
	for (int i = 0; i < parts && i < 8; i++) {
		const unsigned char *p = part[i].iov_base;

		for (size_t k = 0; k < part[i].iov_len; k++) {
			if (c->in_body) {
				c->body_bytes++;
			} else {
				c->header_bytes++;
				c->in_body = header_ends(c, p[k]);
			}
		}
	}
}

static void input_changed(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct conn *c = arg;

	if (!info->n_added || c->busy || c->refused)
		return;
	if (!c->receiving) {
		c->receiving = true;
		c->deadline_ns = clock_mono_ns() + CONN_REQUEST_SECS * NS_PER_SEC;
	}
	count_bytes(c, buffer, info->n_added);
	if (c->header_bytes > CONN_HEADER_MAX)
		refuse_soon(c, 431);
	else if (c->body_bytes > CONN_BODY_MAX)
		refuse_soon(c, 413);
}

/* Outside of a request's handling it is evhttp that speaks: 100 Continue, or an error page. */
static void output_changed(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct conn *c = arg;

	if (!info->n_added || c->busy || c->refused || c->unasked)
		return;
	c->unasked = true;
	event_active(c->owner->kick, EV_TIMEOUT, 0);
}

static struct bufferevent *make_bev(struct event_base *base, void *arg)
{
	struct conns *all = arg;
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL; /* evhttp makes its own, without our limits: memory is short anyway */
	/* Not CLOSE_ON_FREE: evhttp closes the descriptor itself, at once, we free the rest later. */
	c->ssl = all->tls ? SSL_new(all->tls) : NULL;
	if (c->ssl)
		c->bev = bufferevent_openssl_socket_new(base, -1, c->ssl, BUFFEREVENT_SSL_ACCEPTING,
							0);
	else if (!all->tls)
		c->bev = bufferevent_socket_new(base, -1, 0);
	if (!c->bev) {
		SSL_free(c->ssl);
		free(c);
		return NULL;
	}
	if (c->ssl)
		bufferevent_openssl_set_allow_dirty_shutdown(c->bev, 1);
	bufferevent_incref(c->bev);
	evbuffer_add_cb(bufferevent_get_input(c->bev), input_changed, c);
	evbuffer_add_cb(bufferevent_get_output(c->bev), output_changed, c);
	c->owner = all;
	c->deadline_ns = clock_mono_ns() + CONN_REQUEST_SECS * NS_PER_SEC;
	TAILQ_INSERT_TAIL(&all->list, c, all);
	LIST_INSERT_HEAD(&all->buckets[bucket_of(c->bev)], c, bucket);
	all->n++;
	event_active(all->kick, EV_TIMEOUT, 0);
	return c->bev;
}

/* Once evhttp has given the connection its socket: is there room for it? */
static void check_limits(struct conns *all, struct conn *c)
{
	socklen_t len = sizeof(c->peer);
	unsigned same = 0;
	struct conn *o;

	c->checked = true;
	if (getpeername(bufferevent_getfd(c->bev), &c->peer.sa, &len))
		return;
	if (all->n > CONN_MAX) {
		refuse_soon(c, 503);
		return;
	}
	if (addr_is_loopback(&c->peer))
		return;
	TAILQ_FOREACH(o, &all->list, all)
	same += addr_same_host(&o->peer, &c->peer);
	if (same > CONN_MAX_PER_ADDRESS)
		refuse_soon(c, 503);
}

/* Gives the connection back to evhttp as one that has ended, which frees it. */
static void end_refused(struct conn *c)
{
	c->deadline_ns = 0;
	bufferevent_setcb(c->bev, c->on_read, c->on_write, c->on_event, c->on_arg);
	bufferevent_trigger_event(c->bev, BEV_EVENT_EOF | BEV_EVENT_READING,
				  BEV_TRIG_DEFER_CALLBACKS);
}

static void refused_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);

	evbuffer_drain(in, evbuffer_get_length(in));
}

static void refused_event(struct bufferevent *bev, short what, void *arg)
{
	end_refused(arg);
}

static const struct refusal {
	int status;
	const char *reason, *code, *message;
} refusals[] = {
	{400, "Bad Request", "bad_request", "this is no HTTP request that the server understands"},
	{408, "Request Timeout", "request_timeout", "the server's limits refuse this"},
	{413, "Content Too Large", "body_too_large", "the server's limits refuse this"},
	{417, "Expectation Failed", "bad_request",
	 "the server knows no expectation but 100-continue"},
	{431, "Request Header Fields Too Large", "headers_too_large",
	 "the server's limits refuse this"},
	{503, "Service Unavailable", "too_many_connections", "the server's limits refuse this"},
};

static void write_refusal(struct conn *c)
{
	const struct refusal *r = refusals;
	char body[160], head[256];
	int n;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].status == c->refuse)
			r = &refusals[i];
	n = snprintf(body, sizeof(body), "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}",
		     r->code, r->message);
	snprintf(head, sizeof(head),
		 "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
		 "Connection: close\r\n\r\n",
		 r->status, r->reason, n);
	bufferevent_write(c->bev, head, strlen(head));
	bufferevent_write(c->bev, body, (size_t)n);
}

/*
 * Answers in place of evhttp and reads on for a while, since closing with unread input would
 * reset the connection and could destroy the answer on its way.
 */
static void refuse(struct conn *c)
{
	c->refused = true;
	bufferevent_getcb(c->bev, &c->on_read, &c->on_write, &c->on_event, &c->on_arg);
	bufferevent_setcb(c->bev, refused_read, NULL, refused_event, c);
	write_refusal(c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	refused_read(c->bev, c);
	c->deadline_ns = clock_mono_ns() + LINGER_SECS * NS_PER_SEC;
}

/*
 * Takes back evhttp's page in HTML, none of which has been sent yet, to refuse the connection in
 * JSON (libevent 2.1.12).
 */
static void take_back_page(struct conn *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	struct evbuffer_ptr at;
	char line[48] = "";
	const char *status;
	bool frozen;

	c->unasked = false;
	/* Already a handler's; what is before its answer is no page. */
	if (c->busy)
		return;
	/* A socket's bufferevent closes this end of its output to others, one with TLS does not. */
	frozen = evbuffer_copyout(out, line, 1) < 0;
	if (frozen)
		evbuffer_unfreeze(out, 1);
	at = evbuffer_search(out, "\r\n\r\nHTTP/", 9, NULL);
	evbuffer_ptr_set(out, &at, at.pos < 0 ? 0 : (size_t)at.pos + 4, EVBUFFER_PTR_SET);
	evbuffer_copyout_from(out, &at, line, sizeof(line) - 1);
	/* The version is the request's, whatever it was. */
	status = strchr(line, ' ');
	if (status && status[1] != '1') {
		evbuffer_drain(out, evbuffer_get_length(out));
		if (!c->refuse)
			c->refuse = atoi(status);
	}
	if (frozen)
		evbuffer_freeze(out, 1);
}

static bool gone(const struct conn *c)
{
	bufferevent_data_cb r, w;
	bufferevent_event_cb e;
	void *arg;

	bufferevent_getcb(c->bev, &r, &w, &e, &arg);
	return !r && !w && !e;
}

static void kicked(evutil_socket_t fd, short what, void *arg)
{
	struct conns *all = arg;
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&all->list); c; c = next) {
		next = TAILQ_NEXT(c, all);
		if (gone(c)) {
			release(c);
			continue;
		}
		if (!c->checked)
			check_limits(all, c);
		if (c->unasked)
			take_back_page(c);
		/* A request that is being answered is evhttp's; its handler sees the limit too. */
		if (c->refuse && !c->refused && !c->busy)
			refuse(c);
	}
}

static void sweep(evutil_socket_t fd, short what, void *arg)
{
	struct conns *all = arg;
	uint64_t now = clock_mono_ns();
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&all->list); c; c = next) {
		next = TAILQ_NEXT(c, all);
		if (gone(c)) {
			release(c);
			continue;
		}
		if (c->streaming &&
		    evbuffer_get_length(bufferevent_get_input(c->bev)) > CONN_STREAM_INPUT)
			bufferevent_trigger_event(c->bev, BEV_EVENT_EOF | BEV_EVENT_READING,
						  BEV_TRIG_DEFER_CALLBACKS);
		if (!c->deadline_ns || now < c->deadline_ns)
			continue;
		if (c->refused) {
			shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
			end_refused(c);
		} else {
			refuse_soon(c, 408);
		}
	}
}

struct conns *conns_new(struct event_base *base, struct evhttp *http, struct ssl_ctx_st *tls)
{
	const struct timeval period = {.tv_usec = SWEEP_MS * 1000};
	struct conns *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	TAILQ_INIT(&all->list);
	all->base = base;
	all->tls = tls;
	all->sweep = event_new(base, -1, EV_PERSIST, sweep, all);
	all->kick = event_new(base, -1, 0, kicked, all);
	if (!all->sweep || !all->kick || event_add(all->sweep, &period)) {
		conns_free(all);
		return NULL;
	}
	evhttp_set_bevcb(http, make_bev, all);
	evhttp_set_timeout(http, CONN_IDLE_SECS);
	/* Ours come first and answer in JSON; these are the second line. */
	evhttp_set_max_headers_size(http, 2 * CONN_HEADER_MAX);
	evhttp_set_max_body_size(http, 1 << 30);
	return all;
}

void conns_free(struct conns *all)
{
	struct conn *c;

	if (!all)
		return;
	while ((c = TAILQ_FIRST(&all->list))) {
		evbuffer_remove_cb(bufferevent_get_input(c->bev), input_changed, c);
		evbuffer_remove_cb(bufferevent_get_output(c->bev), output_changed, c);
		release(c);
	}
	if (all->sweep)
		event_free(all->sweep);
	if (all->kick)
		event_free(all->kick);
	free(all);
}

void conn_request_begins(struct conns *all, struct evhttp_request *req)
{
	struct conn *c = find(all, req);

	if (c) {
		c->busy = true;
		c->receiving = false;
		c->deadline_ns = 0;
	}
}

void conn_request_ends(struct conns *all, struct evhttp_request *req)
{
	struct conn *c = find(all, req);

	if (!c)
		return;
	c->busy = c->streaming = c->in_body = false;
	c->header_bytes = c->body_bytes = 0;
	c->line_end = 0;
	/* The next request may have come in behind this one. */
	c->receiving = evbuffer_get_length(bufferevent_get_input(c->bev)) > 0;
	c->deadline_ns = c->receiving ? clock_mono_ns() + CONN_REQUEST_SECS * NS_PER_SEC : 0;
}

void conn_streaming(struct conns *all, struct evhttp_request *req)
{
	struct conn *c = find(all, req);

	if (c)
		c->streaming = true;
}

const union addr *conn_peer(struct conns *all, struct evhttp_request *req)
{
	struct conn *c = find(all, req);

	return c && c->peer.sa.sa_family ? &c->peer : NULL;
}

int conn_too_large(struct conns *all, struct evhttp_request *req)
{
	struct conn *c = find(all, req);

	if (evbuffer_get_length(evhttp_request_get_input_buffer(req)) > CONN_BODY_MAX)
		return 413;
	return c && (c->refuse == 413 || c->refuse == 431) ? c->refuse : 0;
}
