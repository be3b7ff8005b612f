/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_API_API_H
#define PORTUNUS_API_API_H

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

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
	struct enroll *enroll;	       /* may be NULL until api_set_enroll() */
	const char *public_origin;     /* "https://host[:port]" or NULL; copied */
	struct ssl_ctx_st *tls;	       /* NULL: plain HTTP; not taken */
	const uint64_t *auth_failures; /* AUTH_FAILURES of them (server/auth_failure.h) */
};

/* NULL for memory. What @config points to has to outlive it. */
struct api *api_new(const struct api_config *config);
/* Ends every connection. */
void api_free(struct api *api);
void api_set_enroll(struct api *api, struct enroll *enroll);

/*
 * Starts to listen: the operators' interface, or the metrics. @bound gets the real address. Returns
 * 0 or -errno (-EADDRINUSE, …).
 */
int api_listen(struct api *api, const union addr *at, union addr *bound);
int api_listen_metrics(struct api *api, const union addr *at, union addr *bound);

/*
 * Serves one request of the machine's own administrator without a connection: what the CLI does
 * when no server runs. Calls back once, before it returns. @body may be NULL.
 */
struct api_answer {
	int status;
	const char *body; /* "" when empty */
	size_t len;
};
void api_local(struct api *api, const char *method, const char *target, const char *body,
	       void (*answer)(void *arg, const struct api_answer *a), void *arg);

#endif
