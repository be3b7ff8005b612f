/* SPDX-License-Identifier: MIT */
/* One connection of an operator: from bytes to requests, and from answers to bytes. */
#ifndef PORTUNUS_API_HTTP_CONN_H
#define PORTUNUS_API_HTTP_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "api/http/body.h"
#include "api/http/head.h"
#include "lib/base/addr.h"

/*
 * One connection: reads a request, hands it up, writes its answer, reads the next. At most one
 * request is with the handlers at any time; pipelined ones wait in the input. Loop thread. Nothing
 * here frees a connection: http_http_conn_end() only marks it, and its listener frees it from the loop.
 */
struct bufferevent;
struct evbuffer;
struct event_base;
struct peer;
struct ssl_st;
struct http_conn;

#define HTTP_IDLE_SECS	  60
#define HTTP_REQUEST_SECS 30 /* from a request's first byte, or from accept(), to its last */
#define HTTP_LINGER_SECS  2
/* Input behind a request that is being answered; then we stop reading. */
#define HTTP_INPUT_MAX	  (64 << 10)
#define HTTP_INPUT_SMALL  (16 << 10) /* of who has shown no credential */
#define HTTP_STREAM_INPUT (16 << 10) /* from a client that should only listen */
/* An answer may take this long, and a second more for each of so many bytes. */
#define HTTP_ANSWER_SECS 20
#define HTTP_ANSWER_RATE (64 << 10)
/* Of a client without credentials: refused requests in a row before it has to wait between them. */
#define HTTP_REFUSED_FREE 20

struct conn_env {
	struct event_base *base;
	/* A head with a larger body behind it: whether its credential is good. */
	bool (*vouched)(struct http_conn *c, void *arg);
	void (*request)(struct http_conn *c, void *arg); /* it has to be answered, now or later */
	void (*ended)(struct http_conn *c,
		      void *arg); /* now it may be freed, but not by the callee */
	void (*output)(struct http_conn *c, void *arg); /* an answer has been queued */
	void (*known)(struct http_conn *c, void *arg);	/* a good credential was shown */
	void *arg;
	bool deprioritise; /* the loop has priorities: who was refused comes after the others */
};

enum conn_state {
	CONN_HEAD,	/* reads a head, or is idle */
	CONN_BODY,	/* reads the body behind it */
	CONN_BUSY,	/* a handler has the request */
	CONN_ANSWERING, /* its answer is on the way */
	CONN_STREAMING,
	CONN_LINGERING, /* has said all, reads on so that closing does not destroy what was said */
	CONN_ENDED
};

struct conn_request {
	struct http_head head;
	struct http_body body;
	char text[];
};

struct http_conn {
	/* Of the listener. */
	TAILQ_ENTRY(http_conn) of_listener;
	struct peer *peer;
	/* Of conn.c. */
	const struct conn_env *env;
	struct bufferevent *bev;
	struct ssl_st *ssl;
	union addr addr;
	enum conn_state state;
	bool known; /* has shown a good credential */
	bool eof, close_after, read_paused;
	size_t scanned;
	unsigned empty_lines, refused; /* before a request; in a row */
	uint64_t deadline_ns, hold_until_ns, answer_began_ns;
	struct conn_request *req;
	void (*left)(void *arg);
	void *left_arg;
};

/* Takes @fd and @ssl (NULL: plain). NULL for memory: both are then gone. @env outlives it. */
struct http_conn *http_conn_new(const struct conn_env *env, int fd, const union addr *addr,
				struct ssl_st *ssl);
/* Only from the loop, after ended(). */
void http_conn_free(struct http_conn *c);
/* Ends it, without an answer. What it was asked for is told by left(). */
void http_conn_end(struct http_conn *c);
/* Answers with a refusal of the transport, then closes. Not while a handler has a request. */
void http_conn_refuse(struct http_conn *c, const struct http_wrong *wrong);
/* Called when a while has passed: goes on with what was held back, if its time has come. */
bool http_conn_resume(struct http_conn *c, uint64_t now_ns);
/* Called some times a second: deadlines. */
void http_conn_tick(struct http_conn *c, uint64_t now_ns);
size_t http_conn_unsent(const struct http_conn *c);

/* ---- what a request is answered with ---- */

static inline const struct http_head *http_conn_head(const struct http_conn *c)
{
	return &c->req->head;
}
/* The body in one piece; NULL when empty. */
const char *http_conn_body(struct http_conn *c, size_t *len);
/* Called when the client leaves before its request was answered, or its stream ended. Once. */
void http_conn_on_left(struct http_conn *c, void (*left)(void *arg), void *arg);
/* The credential that came with the request was good: its connection has a claim on its place. */
void http_conn_known(struct http_conn *c);
/* It was refused: who does this over and over has to wait. */
void http_conn_refused(struct http_conn *c);

/* @body is drained; NULL: empty. @head_only: of a HEAD. */
void http_conn_answer(struct http_conn *c, int status, const struct http_field *fields, size_t n,
		      struct evbuffer *body, bool head_only);
void http_conn_stream_begin(struct http_conn *c, const struct http_field *fields, size_t n);
/* @data is drained. */
void http_conn_stream_send(struct http_conn *c, struct evbuffer *data);
/* Ends the answer in an orderly way. left() is not called any more. */
void http_conn_stream_end(struct http_conn *c);

#endif
