// SPDX-License-Identifier: MIT
/* gRPC's header fields: what a peer's mean, and which ones a call sends. */
#include "lib/grpc/headers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "lib/grpc/frame.h"
#include "lib/grpc/grpc.h"

void grpc_headers_clear(struct grpc_headers *h)
{
	free(h->path);
	free(h->authorization);
	h->path = h->authorization = NULL;
}

void grpc_headers_set_status(struct grpc_headers *h, int status, const char *text)
{
	h->status = status;
	utf8_copy(h->text, sizeof(h->text), text ? text : "", text ? strlen(text) : 0);
}

/* ---- reading ---- */

static bool is(const uint8_t *text, size_t len, const char *want)
{
	return len == strlen(want) && !memcmp(text, want, len);
}

/* "application/grpc", alone or followed by "+proto" or parameters. */
static bool is_grpc_type(const uint8_t *v, size_t len)
{
	static const char type[] = "application/grpc";
	const size_t n = sizeof(type) - 1;

	return len >= n && !memcmp(v, type, n) && (len == n || v[n] == '+' || v[n] == ';');
}

static int keep(char **where, const uint8_t *v, size_t len)
{
	free(*where);
	*where = strndup((const char *)v, len);
	return *where ? 0 : -ENOMEM;
}

int grpc_headers_request(struct grpc_headers *h, const uint8_t *name, size_t n, const uint8_t *v,
			 size_t len)
{
	if (is(name, n, ":method"))
		h->post = is(v, len, "POST");
	else if (is(name, n, ":path"))
		return keep(&h->path, v, len);
	else if (is(name, n, "authorization") && !h->authorization) /* the first one counts */
		return keep(&h->authorization, v, len);
	else if (is(name, n, "content-type"))
		h->grpc_type = is_grpc_type(v, len);
	return 0;
}

/* nghttp2's values end in a NUL of its own. */
int grpc_headers_answer(struct grpc_headers *h, const uint8_t *name, size_t n, const uint8_t *v,
			size_t len)
{
	char text[GRPC_TEXT_SIZE + 4];

	if (is(name, n, ":status")) {
		h->http_status = len == 3 ? atoi((const char *)v) : 0;
	} else if (is(name, n, "content-type")) {
		h->grpc_type = is_grpc_type(v, len);
	} else if (is(name, n, "grpc-status")) {
		h->status = grpc_status_parse((const char *)v, len);
		h->answered = true;
	} else if (is(name, n, "grpc-message")) {
		/* With room for the end of the last character, for utf8_copy() to cut it off whole. */
		n = grpc_percent_decode((const char *)v, len, text, sizeof(text));
		utf8_copy(h->text, sizeof(h->text), text, n);
	}
	return 0;
}

const char *grpc_headers_refuse(const struct grpc_headers *h, int *http_status, int *status)
{
	*http_status = 200;
	*status = GRPC_RESOURCE_EXHAUSTED;
	if (h->bytes > GRPC_HEADER_LIST_MAX)
		return "header list too large";
	*status = GRPC_UNIMPLEMENTED;
	*http_status = 405;
	if (!h->post)
		return "POST only";
	*http_status = 415;
	return h->grpc_type && h->path ? NULL : "not a gRPC request";
}

void grpc_headers_complete(struct grpc_headers *h)
{
	char text[64];

	if (h->answered)
		return;
	h->answered = true;
	if (h->bytes > GRPC_HEADER_LIST_MAX) {
		grpc_headers_set_status(h, GRPC_RESOURCE_EXHAUSTED,
					"the answer's header list is too large");
	} else if (h->http_status != 200) {
		snprintf(text, sizeof(text), "HTTP status %d", h->http_status);
		grpc_headers_set_status(h, grpc_status_from_http(h->http_status), text);
	} else if (!h->grpc_type) {
		grpc_headers_set_status(h, GRPC_UNKNOWN, "the answer is not gRPC");
	} else {
		grpc_headers_set_status(h, GRPC_INTERNAL, "the answer ends without a grpc-status");
	}
}

/* ---- writing ---- */

static nghttp2_nv *add(struct grpc_fields *f, const char *name, const char *value)
{
	nghttp2_nv *nv = &f->nv[f->n++];

	*nv = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
			   .value = (uint8_t *)(uintptr_t)value,
			   .namelen = strlen(name),
			   .valuelen = strlen(value)};
	return nv;
}

void grpc_fields_request(struct grpc_fields *f, const struct grpc_headers *h, const char *authority)
{
	f->n = 0;
	add(f, ":method", "POST");
	add(f, ":scheme", "https");
	add(f, ":path", h->path);
	add(f, ":authority", authority);
	add(f, "te", "trailers");
	add(f, "content-type", "application/grpc");
	add(f, "user-agent", "portunus/" PORTUNUS_VERSION);
	if (h->authorization) /* kept out of compression tables */
		add(f, "authorization", h->authorization)->flags = NGHTTP2_NV_FLAG_NO_INDEX;
}

void grpc_fields_response(struct grpc_fields *f, int http_status)
{
	f->n = 0;
	snprintf(f->http_status, sizeof(f->http_status), "%d", http_status);
	add(f, ":status", f->http_status);
	add(f, "content-type", "application/grpc");
}

void grpc_fields_status(struct grpc_fields *f, const struct grpc_headers *h)
{
	snprintf(f->status, sizeof(f->status), "%u", (unsigned int)h->status % 100);
	add(f, "grpc-status", f->status);
	if (!h->text[0])
		return;
	grpc_percent_encode(h->text, f->message, sizeof(f->message));
	add(f, "grpc-message", f->message);
}
