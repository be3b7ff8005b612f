/* SPDX-License-Identifier: MIT */
/* Writes the heads of answers. */
#ifndef PORTUNUS_API_HTTP_ANSWER_H
#define PORTUNUS_API_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "api/http/head.h"

/* What the server writes: status lines, fields, and the refusals of the transport itself. */
struct evbuffer;

enum http_length { HTTP_NO_LENGTH, HTTP_CHUNKED_LENGTH, HTTP_COUNTED };

struct http_start {
	int status;
	bool http_1_0, close; /* the request's version; the connection ends with this answer */
	const struct http_field *fields;
	size_t n_fields;
	enum http_length kind;
	size_t length; /* of HTTP_COUNTED */
};

/* Writes the status line, the fields and the empty line. */
void http_write_start(struct evbuffer *out, const struct http_start *s);
/* Writes a whole refusal in JSON, after which the connection closes. */
void http_write_wrong(struct evbuffer *out, const struct http_wrong *wrong);

#endif
