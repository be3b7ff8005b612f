/* SPDX-License-Identifier: MIT */
/* The operators' interface put together: its listeners, and what carries a request to a handler. */
#ifndef PORTUNUS_API_API_H
#define PORTUNUS_API_API_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"

/* The operators' HTTP interface and the metrics listener. Everything runs in the loop's thread. */
struct access;
struct api;
struct audit;
struct enroll;
struct event_base;
struct fleet;
struct ssl_ctx_st;
struct store;

struct api_config {
	struct event_base *base;
	struct store *store;
	struct fleet *fleet;
	struct access *access;
	struct audit *audit;
	struct enroll *enroll;
	const char *public_origin;     /* "https://host[:port]" or NULL; copied */
	const char *base_path;	       /* "/portunus" or NULL; copied */
	const char *trusted_proxies;   /* blocks of addresses, one a line, or NULL */
	struct ssl_ctx_st *tls;	       /* NULL: plain HTTP; not taken */
	const uint64_t *auth_failures; /* AUTH_FAILURES of them (server/access/auth_failure.h) */
	/* Connections to the control port that had no room, or had to make room; or NULL. */
	void (*no_room)(void *arg, uint64_t *refused, uint64_t *ended);
	void *no_room_arg;
};

/* NULL for memory. What @config points to has to outlive it. */
struct api *api_new(const struct api_config *config);
/* Ends every connection. */
void api_free(struct api *api);
/* The control listener's certificate, whose end the metrics tell. Not taken, and outlives @api. */
void api_set_control_tls(struct api *api, const struct ssl_ctx_st *tls);

/*
 * Starts to listen: the operators' interface, or the metrics. @bound gets the real address. Returns
 * 0 or -errno (-EADDRINUSE, …).
 */
int api_listen(struct api *api, const union addr *at, union addr *bound);
int api_listen_metrics(struct api *api, const union addr *at, union addr *bound);

#endif
