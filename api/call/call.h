/* SPDX-License-Identifier: MIT */
/* Reading a request and giving its answer, in the one error envelope. */
#ifndef PORTUNUS_API_CALL_CALL_H
#define PORTUNUS_API_CALL_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "api/call/context.h"
#include "api/call/method.h"
#include "lib/base/addr.h"
#include "server/access/credentials.h"
#include "server/fleet/error.h"

/*
 * One request and its answer, whatever carries it: an HTTP connection or the CLI in the same
 * process. A handler answers exactly once, now or later, with one of the call_*() functions below;
 * that frees the call. If the client has gone meanwhile the answer goes nowhere.
 */
struct evbuffer;
struct fleet_rule;

#define CALL_HEADERS_MAX 20

struct call_header {
	const char *name;
	char *value; /* owned by the call */
};

/*
 * What carries a call. The link is the transport's, NULL once the client has gone; the operations of
 * a stream are NULL where there can be none.
 */
struct call;
struct call_transport {
	const char *(*header)(void *link, const char *name); /* of the request; NULL: absent */
	/* Whole answers; @body is drained, NULL: empty. */
	void (*answer)(void *link, int status, const struct call_header *headers, unsigned n,
		       struct evbuffer *body, bool head);
	/* Who the call is from is known, or was not believed. May be NULL. */
	void (*judged)(void *link, bool good);
	void (*stream_begin)(void *link, const struct call_header *headers, unsigned n);
	void (*stream_send)(void *link, struct evbuffer *data); /* drains @data */
	size_t (*stream_unread)(void *link);
	void (*stream_end)(void *link, bool cut); /* @cut: at once, what is unread is lost */
	/* @left is called once, when the client leaves before the answer or the stream's end. One that has only
	 * ended its own direction still waits for an answer; a stream ends with it. */
	void (*on_left)(void *link, void (*left)(void *arg), void *arg);
};

struct call {
	struct api *api;
	const struct call_transport *transport;
	void *link; /* of the transport; NULL when the client has gone */
	enum method method;
	bool head;   /* a GET whose answer has no body */
	char *path;  /* undecoded, without query */
	char *query; /* undecoded, NULL: none */
	const char *body;
	size_t body_len;
	char remote[ADDR_TEXT_MAX];
	bool https; /* the client's connection, to here or to a trusted proxy */
	bool local; /* the administrator in this process */
	struct identity who;
	char session[SECRET_HASH_SIZE]; /* of a browser's sign-in; "": by token */
	char *param, *param2;		/* the path's variable parts, decoded; NULL: it has none */
	/* For the audit trail, where a handler knows better than the path. */
	char resource[80], detail[300];
	const char *action, *resource_kind;
	uint64_t audit_seq; /* of the row that was stored with the change */
	struct call_header headers[CALL_HEADERS_MAX];
	unsigned n_headers;
	uint64_t began_ns;
	json_t *warnings; /* what was ignored of the request, to be said in the answer; NULL: nothing */
	const char *meant; /* the key that the first of these was probably meant to be, or NULL */
};

/* A call for @target (path and query); the caller fills in the rest. NULL for memory. */
struct call *call_new(struct api *api, const struct call_transport *transport, void *link,
		      const char *target);
/* While the handler runs: the change that it makes takes the call's audit row along. */
void call_attend(struct call *c);
/* Without an answer: when it has become a stream. */
void call_free(struct call *c);

const char *call_header(const struct call *c, const char *name);
/* A parameter of the query, decoded, owned by the caller; NULL when absent. */
char *call_query(const struct call *c, const char *name);
/*
 * A number of the query, 0 when it is absent or empty; *given (may be NULL) says whether it was there.
 * False: the call has been answered (400 invalid_query).
 */
bool call_query_number(struct call *c, const char *name, uint64_t *out, bool *given);
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
/*
 * A 200 with @body, taken, and its entity tag; 304 without it when the request names that tag in
 * If-None-Match. @version, NULL for none, as in etag.h.
 */
void call_tagged(struct call *c, struct evbuffer *body, const char *etag);
void call_json_tagged(struct call *c, json_t *body, const char *version);
void call_error(struct call *c, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void call_refuse(struct call *c, const struct fleet_error *err);
/* A write that the store refused: logged, with the status and code of store_status(). */
void call_store_error(struct call *c, int err);
/* What became of a change, an errno of the store: 204, or that error. */
void call_stored(struct call *c, int err);

/* Whether the request says that its body is "application/json", with or without parameters. */
bool call_has_json(const struct call *c);
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
