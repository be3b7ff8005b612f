/* SPDX-License-Identifier: MIT */
/* What every call needs: the store, the fleet, who may, and the loop. */
#ifndef PORTUNUS_API_CALL_CONTEXT_H
#define PORTUNUS_API_CALL_CONTEXT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "api/call/histogram.h"
#include "lib/base/log_budget.h"

/*
 * What every call works on: the parts of the server, and the API's own settings and counters. One
 * for the whole API, made by api.c. Loop thread.
 */
struct access;
struct audit;
struct enroll;
struct event_base;
struct fleet;
struct http_listener;
struct proxies;
struct slices;
struct ssl_ctx_st;
struct store;
struct stream;
struct throttle;

#define DENY_CODES_MAX 24

struct api {
	struct event_base *base;
	struct http_listener *http, *metrics_http;
	struct store *store;
	struct fleet *fleet;
	struct access *access;
	struct audit *audit;
	struct enroll *enroll; /* NULL until the control listener is up */
	char *public_origin;   /* "https://host[:port]" or NULL */
	char *base_path;       /* "/portunus", or "" */
	char cookie[40];       /* the name of its sign-ins' cookie, another than a neighbour's */
	struct proxies *proxies;
	const uint64_t *auth_failures;
	void (*no_room)(void *arg, uint64_t *refused, uint64_t *ended);
	void *no_room_arg;
	uint64_t started_ms;
	/* portunus_operator_requests_total */
	uint64_t allowed;
	struct {
		char code[40];
		uint64_t n;
	} denied[DENY_CODES_MAX];
	struct histogram pushes, refreshes;	    /* how long pushes and fresh figures took */
	const struct ssl_ctx_st *tls, *control_tls; /* of the two listeners; NULL: none */
	struct throttle *sign_ins;
	struct slices *slices;	     /* long answers in the making */
	struct log_budget strangers; /* log lines about them */
	LIST_HEAD(, stream) streams; /* subscribers; of routes/stream.c */
};

#endif
