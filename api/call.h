/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_API_CALL_H
#define PORTUNUS_API_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "api/api.h"
#include "server/access.h"
#include "server/gates.h"

/*
 * One request and its answer, whatever carries it: an HTTP connection or the CLI in the same
 * process. A handler answers exactly once, now or later, with one of the call_*() functions below;
 * that frees the call. If the client has gone meanwhile the answer goes nowhere.
 */
struct evbuffer;
struct fleet_rule;

enum method {
	METHOD_GET = 1,
	METHOD_POST = 2,
	METHOD_PUT = 4,
	METHOD_DELETE = 8,
	METHOD_PATCH = 16,
	METHOD_OTHER = 32
};

#define METHODS_WRITING (METHOD_POST | METHOD_PUT | METHOD_DELETE | METHOD_PATCH)

#define CALL_HEADERS_MAX 12

struct call_header {
	const char *name;
	char value[256];
};

struct call;
struct call_transport {
	const char *(*header)(struct call *c, const char *name); /* of the request; NULL: absent */
	void (*answer)(struct call *c, int status, struct evbuffer *body);
};

struct call {
	struct api *api;
	const struct call_transport *transport;
	void *link; /* of the transport; NULL when the client has gone */
	enum method method;
	bool head;   /* a GET whose answer has no body */
	char *path;  /* decoded, without query */
	char *query; /* undecoded, NULL: none */
	const char *body;
	size_t body_len;
	char remote[ADDR_TEXT_MAX];
	bool tls, local; /* local: the administrator in this process */
	struct identity who;
	bool by_session;
	char *param; /* the path's variable part, decoded */
	/* For the audit trail, where a handler knows better than the path. */
	char resource[80], detail[128];
	const char *action, *resource_kind;
	struct call_header headers[CALL_HEADERS_MAX];
	unsigned n_headers;
};

const char *call_header(struct call *c, const char *name);
/* A parameter of the query, decoded, owned by the caller; NULL when absent. */
char *call_query(const struct call *c, const char *name);
/* Truthy by the contract: exactly "true", "1" or "yes". */
bool call_flag(const struct call *c, const char *name);

/* Adds a header to the answer. @name is not copied. */
void call_add_header(struct call *c, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Answers. @body is taken; NULL (memory) becomes a 500. */
void call_json(struct call *c, int status, json_t *body);
void call_empty(struct call *c, int status);
/* @body is taken. */
void call_buffer(struct call *c, int status, const char *type, struct evbuffer *body);
void call_error(struct call *c, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void call_refuse(struct call *c, const struct fleet_error *err);
/* A write that the store refused: logged, 500 store_error. */
void call_store_error(struct call *c, int err);

/*
 * The body as a JSON object. With @optional an absent body gives an empty one. NULL: the call has
 * been answered (415, 400 invalid_json, 422 invalid_body).
 */
json_t *call_body(struct call *c, bool optional);
/*
 * A text member of a body. False: the call has been answered (422 invalid_body). *out is NULL when
 * it is absent or null and not @required.
 */
bool call_body_text(struct call *c, json_t *body, const char *key, bool required, const char **out);

#endif
