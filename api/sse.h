/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_API_SSE_H
#define PORTUNUS_API_SSE_H

#include <stddef.h>

struct evbuffer;

#define SSE_PERIOD_SECS 5	    /* so that a stream is never silent for long */
#define SSE_OUTPUT_MAX	(256 << 10) /* unread; then the subscriber is dropped */

/* One frame: "event: NAME", a data line for each line of @data, and the blank line. */
void sse_frame(struct evbuffer *out, const char *name, const char *data);

#endif
