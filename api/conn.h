/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_API_CONN_H
#define PORTUNUS_API_CONN_H

#include <stdbool.h>

#include "lib/addr.h"

/*
 * Watches the connections of one evhttp from outside: how many there are, how long a request may
 * take to arrive, how large it may be. evhttp alone renews its time-out with every byte, buffers
 * what it is sent, and answers with HTML.
 */
struct conns;
struct event_base;
struct evhttp;
struct evhttp_request;
struct ssl_ctx_st;

#define CONN_MAX	     4096
#define CONN_MAX_PER_ADDRESS 1024 /* loopback exempt */
#define CONN_HEADER_MAX	     (16 << 10)
#define CONN_BODY_MAX	     (256 << 10)
#define CONN_IDLE_SECS	     60
#define CONN_REQUEST_SECS    30 /* from its first byte, or from accept(), to its last */
#define CONN_STREAM_INPUT    (16 << 10)

/* Sets the limits of @http and takes over the making of its connections. @tls may be NULL. */
struct conns *conns_new(struct event_base *base, struct evhttp *http, struct ssl_ctx_st *tls);
/* After evhttp_free(). */
void conns_free(struct conns *all);

/* The request of @req is complete and is being answered: its deadline is off until it is done. */
void conn_request_begins(struct conns *all, struct evhttp_request *req);
void conn_request_ends(struct conns *all, struct evhttp_request *req);
/* What arrives from now on is not wanted: a client that keeps sending is cut off. */
void conn_streaming(struct conns *all, struct evhttp_request *req);
/* The peer, or NULL. */
const union addr *conn_peer(struct conns *all, struct evhttp_request *req);
/* 413 or 431 when the request came in complete before it could be refused on its way, else 0. */
int conn_too_large(struct conns *all, struct evhttp_request *req);

#endif
