/* SPDX-License-Identifier: MIT */
/* GET /metrics of the edge itself, for Prometheus, on a port or on a Unix socket. */
#ifndef PORTUNUS_EDGE_STATUS_METRICS_HTTP_H
#define PORTUNUS_EDGE_STATUS_METRICS_HTTP_H

#include <stdbool.h>

struct answers;
struct event_base;
struct metrics_http;

/* Whether @where is "ADDRESS:PORT" (a literal; IPv6 in brackets) or the absolute path of a socket. */
bool metrics_http_place_ok(const char *where);

/*
 * Serves the figures of @answers, which outlives it, to whoever reaches @where. A socket file is made as
 * the local view's is. Returns 0 and *@http, or -errno. Main thread, all of it.
 */
int metrics_http_open(struct metrics_http **http, const char *where, struct event_base *base,
		      struct answers *answers);
/* NULL is none. Closes every connection; before answers_free(). */
void metrics_http_close(struct metrics_http *http);

#endif
