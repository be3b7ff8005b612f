/* SPDX-License-Identifier: MIT */
/* Requests to the API over HTTP, with libcurl. */
#ifndef PORTUNUS_CLI_HTTP_H
#define PORTUNUS_CLI_HTTP_H

#include "cli/host.h"

/* Where an API is, and how its certificate is recognised. */
struct http_place {
	const char *endpoint; /* [http[s]://]HOST[:PORT][/BASE] */
	const char *cacert;   /* a file, or NULL: the system's, or SSL_CERT_FILE */
	const char *pin;      /* "sha256:" and 64 digits, in place of all other checks; or NULL */
	const char *token;    /* or NULL */
};

struct http_request {
	const char *method, *target;
	const char *body;     /* JSON, or NULL */
	const char *if_match; /* an entity tag, or NULL */
	long seconds;	      /* for all of it */
};

/*
 * Makes one request. 0, with the status and body in @reply; -EIO, with a sentence in reply->why;
 * -EINVAL for a place that is none, likewise; -ENOMEM.
 */
int http_call(const struct http_place *place, const struct http_request *request,
	      struct cli_reply *reply);

/*
 * Follows a stream of events: calls @event with the data of each until the stream ends or @event returns
 * non-zero. As http_call(); the body of the reply is there when the status is not 200.
 */
int http_follow(const struct http_place *place, const char *target,
		int (*event)(void *arg, const char *data), void *arg, struct cli_reply *reply);

/* A path with @text percent-encoded between @before and @after; owned by the caller, NULL for memory. */
char *url_with(const char *before, const char *text, const char *after);

#endif
