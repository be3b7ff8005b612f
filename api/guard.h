/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_API_GUARD_H
#define PORTUNUS_API_GUARD_H

#include <stdbool.h>

struct evkeyvalq;

/*
 * What evhttp lets through though it leaves the length of a message or its host in doubt (request
 * smuggling): more than one Content-Length or one that is no number, a Transfer-Encoding other than
 * exactly "chunked" or beside a Content-Length, no Host or several on HTTP/1.1, names that are no
 * tokens, control bytes in values. Returns NULL, or a static text that says what is wrong; the
 * request is then to be refused and its connection closed.
 */
const char *guard_headers(const struct evkeyvalq *headers, bool http_1_1);

#endif
