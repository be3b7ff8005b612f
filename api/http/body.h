/* SPDX-License-Identifier: MIT */
/* Reads the body of a request: counted or in chunks. */
#ifndef PORTUNUS_API_HTTP_BODY_H
#define PORTUNUS_API_HTTP_BODY_H

#include "api/http/head.h"

/* The body behind a head: so many bytes, or chunks, read as strictly as the head is. */
struct evbuffer;

#define HTTP_BODY_MAX	 (256 << 10)
#define HTTP_BODY_SMALL	 (4 << 10)
#define HTTP_CHUNK_LINE	 1024 /* a chunk's size with its extensions, or a line of the trailer */
#define HTTP_CHUNK_EXTRA (16 << 10) /* all extensions and trailers together */

struct http_body {
	enum { BODY_SIZED, CHUNK_LINE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER, BODY_DONE } at;
	uint64_t left;	       /* of the body or the chunk */
	size_t max;	       /* of the body: HTTP_BODY_SMALL or HTTP_BODY_MAX */
	size_t extra;	       /* bytes that were extensions and trailers */
	struct evbuffer *data; /* what has come, owned by whoever owns the struct */
};

/*
 * @data is empty. @small: for somebody who has shown no credential, whose body takes memory before it
 * is known what it is for. NULL, or what is wrong with a body of that kind.
 */
const struct http_wrong *http_body_begin(struct http_body *b, const struct http_head *head,
					 struct evbuffer *data, bool small);
/*
 * Takes from @in what belongs to the body. 1: complete, what follows is the next request; 0: more is
 * needed; -1: *wrong says what is wrong.
 */
int http_body_read(struct http_body *b, struct evbuffer *in, const struct http_wrong **wrong);

#endif
