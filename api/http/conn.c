// SPDX-License-Identifier: MIT
/* One connection of an operator: from bytes to requests, and from answers to bytes. */
#include "api/http/conn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "api/http/answer.h"
#include "api/http/peers.h"
#include "lib/base/clock.h"

#define EMPTY_LINES 4 /* that may stand before a request (RFC 9112, 2.2) */
#define HOLD_MAX    NS_PER_SEC

static const struct http_wrong timed_out = {408, "request_timeout",
					    "the request did not arrive in time"};
static const struct http_wrong no_memory = {500, "internal", "out of memory"};

static void advance(struct http_conn *c);

static struct evbuffer *input_of(const struct http_conn *c)
{
	return bufferevent_get_input(c->bev);
}

static struct evbuffer *output_of(const struct http_conn *c)
{
	return bufferevent_get_output(c->bev);
}

size_t http_conn_unsent(const struct http_conn *c)
{
	return evbuffer_get_length(output_of(c));
}

static void deadline(struct http_conn *c, uint64_t secs)
{
	c->deadline_ns = clock_mono_ns() + secs * NS_PER_SEC;
}

static void drop_request(struct http_conn *c)
{
	if (c->req && c->req->body.data)
		evbuffer_free(c->req->body.data);
	free(c->req);
	c->req = NULL;
}

void http_conn_end(struct http_conn *c)
{
	void (*left)(void *) = c->left;

	if (c->state == CONN_ENDED)
		return;
	c->state = CONN_ENDED;
	c->left = NULL;
	bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
	bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	if (left)
		left(c->left_arg);
	c->env->ended(c, c->env->arg);
}

void http_conn_free(struct http_conn *c)
{
	drop_request(c);
	bufferevent_free(c->bev); /* with its descriptor and TLS */
	free(c);
}

/* Everything is said: closes its own direction, and waits a little for the other's end. */
static void linger(struct http_conn *c)
{
	struct evbuffer *in = input_of(c);

	c->state = CONN_LINGERING;
	drop_request(c);
	if (c->eof) {
		http_conn_end(c);
		return;
	}
	if (c->ssl)
		SSL_shutdown(c->ssl);
	shutdown(bufferevent_getfd(c->bev), SHUT_WR);
	evbuffer_drain(in, evbuffer_get_length(in));
	bufferevent_enable(c->bev, EV_READ);
	deadline(c, HTTP_LINGER_SECS);
}

/* An answer is in the output; written() goes on when it has left. */
static void begin_answering(struct http_conn *c)
{
	c->state = CONN_ANSWERING;
	c->answer_began_ns = clock_mono_ns();
	deadline(c, HTTP_ANSWER_SECS + http_conn_unsent(c) / HTTP_ANSWER_RATE);
	c->env->output(c, c->env->arg);
}

void http_conn_refuse(struct http_conn *c, const struct http_wrong *wrong)
{
	if (c->state >= CONN_BUSY)
		return;
	c->close_after = true;
	http_write_wrong(output_of(c), wrong);
	begin_answering(c);
}

/* Drops the empty lines before a request; false: there are too many, or half of one. */
static bool skip_empty_lines(struct http_conn *c, struct evbuffer *in)
{
	char line[2];

	while (c->scanned == 0) {
		ev_ssize_t n = evbuffer_copyout(in, line, 2);

		if (n < 1 || line[0] != '\r')
			return true;
		if (n < 2)
			return false;
		if (line[1] != '\n' || ++c->empty_lines > EMPTY_LINES)
			return true; /* which no request begins with */
		evbuffer_drain(in, 2);
	}
	return true;
}

/* Whether the body may only be a small one. Who has a good credential is known from its head on. */
static bool is_stranger(struct http_conn *c)
{
	const struct http_head *head = &c->req->head;

	if (c->known || head->framing == HTTP_NO_BODY ||
	    (head->framing == HTTP_LENGTH && head->length <= HTTP_BODY_SMALL))
		return false;
	if (!c->env->vouched(c, c->env->arg))
		return true;
	http_conn_known(c);
	return false;
}

static const struct http_wrong *take_head(struct http_conn *c, size_t len)
{
	struct evbuffer *data = evbuffer_new();
	const struct http_wrong *wrong;

	c->req = data ? malloc(sizeof(*c->req) + len + 1) : NULL;
	if (!c->req) {
		if (data)
			evbuffer_free(data);
		return &no_memory;
	}
	c->req->body.data = data;
	evbuffer_remove(input_of(c), c->req->text, len);
	wrong = http_head_parse(c->req->text, len, &c->req->head);
	if (!wrong)
		wrong = http_body_begin(&c->req->body, &c->req->head, data, is_stranger(c));
	if (wrong)
		return wrong;
	c->close_after = !c->req->head.keep_alive;
	c->state = CONN_BODY;
	if (c->req->head.expects_continue && c->req->head.framing != HTTP_NO_BODY &&
	    evbuffer_get_length(input_of(c)) == 0)
		evbuffer_add_printf(output_of(c), "HTTP/1.1 100 Continue\r\n\r\n");
	return NULL;
}

/* True: a head was read. */
static bool read_head(struct http_conn *c)
{
	const struct http_wrong *wrong = NULL;
	struct evbuffer *in = input_of(c);
	size_t n;
	long len;

	if (!skip_empty_lines(c, in))
		return false;
	n = evbuffer_get_length(in);
	if (n == 0)
		return false;
	if (n > HTTP_HEAD_MAX + 1)
		n = HTTP_HEAD_MAX + 1;
	len = http_head_end((const char *)evbuffer_pullup(in, (ev_ssize_t)n), n, &c->scanned,
			    &wrong);
	if (len > 0) {
		c->scanned = 0;
		c->empty_lines = 0;
		wrong = take_head(c, (size_t)len);
	}
	if (wrong)
		http_conn_refuse(c, wrong);
	return len > 0 && !wrong;
}

static void read_body(struct http_conn *c)
{
	const struct http_wrong *wrong = NULL;
	int done = http_body_read(&c->req->body, input_of(c), &wrong);

	if (done < 0) {
		http_conn_refuse(c, wrong);
	} else if (done > 0) {
		c->state = CONN_BUSY;
		c->deadline_ns = 0;
		c->env->request(c, c->env->arg);
	}
}

/* Reads what has come as far as one request; the next waits for this one's answer. */
static void advance(struct http_conn *c)
{
	if (c->hold_until_ns)
		return;
	if (c->state == CONN_HEAD && !read_head(c)) {
		if (c->state == CONN_HEAD && c->eof)
			http_conn_end(c);
		return;
	}
	if (c->state == CONN_BODY)
		read_body(c);
	if (c->state == CONN_BODY && c->eof)
		http_conn_end(c);
}

static void resume_reading(struct http_conn *c)
{
	if (c->read_paused)
		bufferevent_enable(c->bev, EV_READ);
	c->read_paused = false;
}

/* The answer has gone to the kernel. */
static void answered(struct http_conn *c)
{
	if (c->close_after) {
		linger(c);
		return;
	}
	drop_request(c);
	c->state = CONN_HEAD;
	c->answer_began_ns = 0;
	resume_reading(c);
	deadline(c, evbuffer_get_length(input_of(c)) ? HTTP_REQUEST_SECS : HTTP_IDLE_SECS);
	advance(c);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct http_conn *c = arg;
	size_t n = evbuffer_get_length(input_of(c));

	if (c->state == CONN_LINGERING) {
		evbuffer_drain(input_of(c), n);
		return;
	}
	if (c->state == CONN_STREAMING && n > HTTP_STREAM_INPUT) {
		http_conn_end(c);
		return;
	}
	/* The first byte of a request after a pause: it has its own time from now on. */
	if (c->state == CONN_HEAD && c->scanned == 0 && !c->empty_lines)
		deadline(c, HTTP_REQUEST_SECS);
	if (c->state <= CONN_BODY)
		advance(c);
	if ((c->hold_until_ns || c->state > CONN_BODY) && c->state < CONN_STREAMING &&
	    evbuffer_get_length(input_of(c)) > (c->known ? HTTP_INPUT_MAX : HTTP_INPUT_SMALL)) {
		c->read_paused = true;
		bufferevent_disable(bev, EV_READ);
	}
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct http_conn *c = arg;

	if (c->state == CONN_ANSWERING)
		answered(c);
}

/*
 * Plain HTTP where TLS is spoken: said in plain HTTP, since "empty reply" tells nobody what is wrong. By
 * hand, because the TLS layer takes nothing more.
 */
static void answer_plain(struct http_conn *c)
{
	static const struct http_wrong speaks_tls = {
		426, "https_required", "this port speaks HTTPS; write https:// before it"};
	struct evbuffer *out = evbuffer_new();
	int fd = bufferevent_getfd(c->bev);
	char junk[4096];

	if (!out)
		return;
	http_write_wrong(out, &speaks_tls);
	/* Unread input would make the kernel reset the connection, and the answer be lost. */
	while (recv(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	send(fd, evbuffer_pullup(out, -1), evbuffer_get_length(out), MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	evbuffer_free(out);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct http_conn *c = arg;

	if (what & BEV_EVENT_CONNECTED)
		return;
	if (c->ssl && (what & BEV_EVENT_ERROR) &&
	    ERR_GET_REASON(bufferevent_get_openssl_error(bev)) == SSL_R_HTTP_REQUEST)
		answer_plain(c);
	/* Who has sent all that it wants to may still read; a stream has no end that it could wait for. */
	if ((what & BEV_EVENT_EOF) && c->state <= CONN_ANSWERING) {
		c->eof = true;
		if (c->state <= CONN_BODY)
			advance(c);
		return;
	}
	http_conn_end(c);
}

struct http_conn *http_conn_new(const struct conn_env *env, int fd, const union addr *addr,
				struct ssl_st *ssl)
{
	struct http_conn *c = calloc(1, sizeof(*c));

	if (c && ssl)
		c->bev = bufferevent_openssl_socket_new(env->base, fd, ssl,
							BUFFEREVENT_SSL_ACCEPTING,
							BEV_OPT_CLOSE_ON_FREE);
	else if (c)
		c->bev = bufferevent_socket_new(env->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c || !c->bev) {
		free(c);
		SSL_free(ssl);
		close(fd);
		return NULL;
	}
	if (ssl)
		bufferevent_openssl_set_allow_dirty_shutdown(c->bev, 1);
	c->env = env;
	c->ssl = ssl;
	c->addr = *addr;
	deadline(c, HTTP_REQUEST_SECS);
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	return c;
}

void http_conn_tick(struct http_conn *c, uint64_t now_ns)
{
	if (!c->deadline_ns || now_ns < c->deadline_ns || c->hold_until_ns)
		return;
	/* Nothing of a request: just idle. */
	if (c->state <= CONN_BODY && (c->req || c->scanned))
		http_conn_refuse(c, &timed_out);
	else if (c->state != CONN_BUSY)
		http_conn_end(c);
}

bool http_conn_resume(struct http_conn *c, uint64_t now_ns)
{
	if (!c->hold_until_ns || now_ns < c->hold_until_ns)
		return false;
	c->hold_until_ns = 0;
	resume_reading(c);
	if (c->state <= CONN_BODY)
		advance(c);
	return true;
}

const char *http_conn_body(struct http_conn *c, size_t *len)
{
	*len = evbuffer_get_length(c->req->body.data);
	return *len ? (const char *)evbuffer_pullup(c->req->body.data, -1) : NULL;
}

void http_conn_on_left(struct http_conn *c, void (*left)(void *arg), void *arg)
{
	c->left = left;
	c->left_arg = arg;
}

static void set_priority(struct http_conn *c, int priority)
{
	if (c->env->deprioritise)
		bufferevent_priority_set(c->bev, priority);
}

void http_conn_known(struct http_conn *c)
{
	c->refused = 0;
	if (c->known)
		return;
	c->known = true;
	c->env->known(c, c->env->arg);
	set_priority(c, 1);
}

void http_conn_refused(struct http_conn *c)
{
	uint64_t now = clock_mono_ns(), wait = HOLD_MAX;

	/* A connection that is known may be a proxy's, shared with others. */
	if (c->known)
		return;
	set_priority(c, 2);
	c->refused++;
	if (!http_peer_refused(c->peer, now)) {
		if (c->refused <= HTTP_REFUSED_FREE)
			return;
		wait = (c->refused - HTTP_REFUSED_FREE) * 50 * NS_PER_MS;
	}
	c->hold_until_ns = now + (wait < HOLD_MAX ? wait : HOLD_MAX);
}

static bool bodiless(int status)
{
	return status == 204 || status == 304;
}

void http_conn_answer(struct http_conn *c, int status, const struct http_field *fields, size_t n,
		      struct evbuffer *body, bool head_only)
{
	struct http_start start = {
		.status = status,
		.http_1_0 = c->req->head.http_1_0,
		.close = c->close_after,
		.fields = fields,
		.n_fields = n,
		.kind = bodiless(status) ? HTTP_NO_LENGTH : HTTP_COUNTED,
		.length = body ? evbuffer_get_length(body) : 0,
	};

	c->left = NULL;
	http_write_start(output_of(c), &start);
	if (body && !head_only && !bodiless(status))
		evbuffer_add_buffer(output_of(c), body);
	begin_answering(c);
}

void http_conn_stream_begin(struct http_conn *c, const struct http_field *fields, size_t n)
{
	bool old = c->req->head.http_1_0;

	c->close_after |= old;
	http_write_start(output_of(c), &(struct http_start){
					       .status = 200,
					       .http_1_0 = old,
					       .close = c->close_after,
					       .fields = fields,
					       .n_fields = n,
					       .kind = old ? HTTP_NO_LENGTH : HTTP_CHUNKED_LENGTH,
				       });
	c->state = CONN_STREAMING;
	c->deadline_ns = 0;
}

void http_conn_stream_send(struct http_conn *c, struct evbuffer *data)
{
	size_t n = evbuffer_get_length(data);
	bool old = c->req->head.http_1_0;

	if (n == 0 || c->state != CONN_STREAMING)
		return;
	if (!old)
		evbuffer_add_printf(output_of(c), "%zx\r\n", n);
	evbuffer_add_buffer(output_of(c), data);
	if (!old)
		evbuffer_add(output_of(c), "\r\n", 2);
}

void http_conn_stream_end(struct http_conn *c)
{
	if (c->state != CONN_STREAMING)
		return;
	c->left = NULL;
	if (!c->req->head.http_1_0)
		evbuffer_add(output_of(c), "0\r\n\r\n", 5);
	begin_answering(c);
	/* Nothing is left to be written when the stream was up to date and spoke HTTP/1.0. */
	if (!http_conn_unsent(c))
		answered(c);
}
