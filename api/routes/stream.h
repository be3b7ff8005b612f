/* SPDX-License-Identifier: MIT */
/* /v1/rules/{id}/stats/stream: figures as server-sent events. */
#ifndef PORTUNUS_API_ROUTES_STREAM_H
#define PORTUNUS_API_ROUTES_STREAM_H

#include <stddef.h>

/* /v1/rules/{id}/stats/stream: figures as server-sent events. */
struct api;
struct call;
struct evbuffer;

#define SSE_PERIOD_SECS 5	    /* so that a stream is never silent for long */
#define SSE_OUTPUT_MAX	(256 << 10) /* unread; then the subscriber is dropped */

void stats_stream(struct call *c);
/*
 * Ends the streams of a credential that is no more: all of the token @name (NULL: of every token), or
 * with @session those of that sign-in alone.
 */
void streams_end(struct api *api, const char *name, const char *session);
size_t streams_count(const struct api *api);

/* One frame: "event: NAME", a data line for each line of @data, and the blank line. */
void sse_frame(struct evbuffer *out, const char *name, const char *data);

#endif
