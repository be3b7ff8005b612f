/* SPDX-License-Identifier: MIT */
/* The parts of a server, made in order and unmade in the reverse. */
#ifndef PORTUNUS_SERVER_RUN_PARTS_H
#define PORTUNUS_SERVER_RUN_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/access/auth_failure.h"
#include "server/run/settings.h"

struct access;
struct api;
struct audit;
struct enroll;
struct event;
struct event_base;
struct fleet;
struct grpc_server;
struct renewal;
struct sessions;
struct ssl_ctx_st;
struct store;

/* Everything that a running server, or one call on the store, consists of. In order of making. */
struct server {
	struct settings settings;
	struct store *store;
	struct event_base *base;
	struct fleet *fleet;
	struct access *access;
	struct audit *audit;
	struct enroll *enroll;
	struct renewal *renewal;
	struct ssl_ctx_st *grpc_tls, *http_tls;
	struct sessions *sessions;
	struct grpc_server *grpc;
	bool stopping, reads;
	struct api *api;
	struct event *on_int, *on_term, *on_hup, *alive, *sweep;
	const char *data_dir;
	uint64_t expiry_seen_ns;
	uint64_t auth_failures[AUTH_FAILURES];
	char why[512];
};

/* The store and what works on it without a network: common to `serve` and to the other verbs. */
int server_open(struct server *s, const char *data_dir);
/* Whatever has been opened, in the reverse order. */
void server_close(struct server *s);
/* The control listener's, made when there is none. server_open_enroll() does it for those without a listener. */
int server_ensure_certificate(struct server *s, const char *data_dir, const char *advertised);
/* Needs to know where the control listener is, or would be, bound. */
int server_open_enroll(struct server *s, const char *data_dir, const char *advertised,
		       const union addr *grpc);
int server_open_api(struct server *s);

#endif
