/* SPDX-License-Identifier: MIT */
/* Accepts operators' connections and keeps their number, their time and their output in bounds. */
#ifndef PORTUNUS_API_HTTP_LISTENER_H
#define PORTUNUS_API_HTTP_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/addr.h"

/*
 * A listening socket and its connections. Whoever has shown a credential keeps its place: when there
 * is no room, the connection without one that has been here for longest goes. Loop thread.
 */
struct event_base;
struct http_conn;
struct http_listener;
struct ssl_ctx_st;

#define HTTP_CONNS_MAX		   4096
#define HTTP_CONNS_MAX_PER_ADDRESS 1024		/* loopback exempt */
#define HTTP_OUTPUT_MAX		   (128u << 20) /* unsent answers, all together */

struct http_listener_config {
	struct event_base *base;
	struct ssl_ctx_st *tls; /* NULL: plain HTTP; not taken */
	/* Of a head: whether its credential is good. NULL: none ever is. */
	bool (*vouched)(struct http_conn *c, void *arg);
	/* A request is complete: one of the answers of conn.h has to be given, now or later. */
	void (*on_call)(struct http_conn *c, void *arg);
	void *arg;
};

/* NULL for memory. */
struct http_listener *http_listener_new(const struct http_listener_config *config);
/* Ends every connection. */
void http_listener_free(struct http_listener *l);
/* Starts to listen; *bound gets the real address. 0 or -errno. */
int http_listen(struct http_listener *l, const union addr *at, union addr *bound);

#endif
