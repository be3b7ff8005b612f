/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_API_INTERNAL_H
#define PORTUNUS_API_INTERNAL_H

/* What the files of api/ share; nobody else includes this. */
#include "api/call.h"

struct conns;
struct evhttp;
struct evhttp_request;
struct stream;

#define DENY_CODES_MAX 24

struct api {
	struct event_base *base;
	struct store *store;
	struct fleet *fleet;
	struct access *access;
	struct audit *audit;
	struct enroll *enroll;
	char *public_origin;
	struct ssl_ctx_st *tls;
	const uint64_t *auth_failures;
	struct evhttp *http, *metrics_http;
	struct conns *conns, *metrics_conns;
	struct stream *streams; /* SSE subscribers */
	uint64_t started_ms;
	/* portunus_operator_requests_total */
	uint64_t allowed;
	struct {
		char code[40];
		uint64_t n;
	} denied[DENY_CODES_MAX];
	/* Failed sign-ins by address, to slow down guessing. */
	struct login_failures *logins;
};

/* http.c */
/* A call for @target (path and query); the caller fills in the rest. NULL for memory. */
struct call *api_call_new(struct api *api, const struct call_transport *transport, void *link,
			  const char *target);
void api_call_free(struct call *c);
/* The connection under a call, NULL for a local one or when the client has gone. */
struct evhttp_request *api_call_request(struct call *c);
/* From a connection's close callback: frees the request if evhttp won't. */
void api_request_left(struct evhttp_request *req);

/* audit of one answered call; @code is NULL for a success */
void api_audit(struct call *c, int status, const char *code);

/* auth.c: true, or the call has been answered. */
bool api_authenticate(struct call *c);
void api_count_denied(struct api *api, const char *code);
/* 403 with a code of the contract, counted. */
void api_deny(struct call *c, int status, const char *code, const char *message);

/* route.c */
void api_dispatch(struct call *c);

/* Handlers; each answers its call. */
void rules_list(struct call *c);
void rules_get(struct call *c);
void rules_push(struct call *c);
void rules_update(struct call *c);
void rules_remove(struct call *c);
void stats_get(struct call *c);
void changes_get(struct call *c);
void stats_stream(struct call *c);
void clients_list(struct call *c);
void clients_readdress(struct call *c);
void clients_delete(struct call *c);
void clients_rename(struct call *c);
void clients_revoke(struct call *c);
void clients_reenroll(struct call *c);
void clients_enroll(struct call *c);
void audit_get(struct call *c);
void metrics_get(struct call *c);
void identity_me(struct call *c);
void session_status(struct call *c);
void session_login(struct call *c);
void session_logout(struct call *c);
void tokens_list(struct call *c);
void tokens_add(struct call *c);
void tokens_revoke(struct call *c);
void page_get(struct call *c);

/* Operators see their own rules; viewers and admins all of them. */
bool call_may_see(const struct call *c, const struct fleet_rule *r);
/* The rule that a path names, or NULL and the call has been answered (400, 404, 403). */
struct fleet_rule *call_rule(struct call *c);

/* sse.c: ends the streams of a credential that was revoked; @name NULL: all. */
void streams_end(struct api *api, const char *name);
size_t streams_count(const struct api *api);

/* metrics.c */
struct evbuffer *metrics_text(struct api *api);

#endif
