// SPDX-License-Identifier: MIT
/* What a browser gets outside of /v1. */
#include <string.h>

#include <event2/buffer.h>

#include "api/api_internal.h"

static const char text[] =
	"Portunus " PORTUNUS_VERSION "\n\n"
	"This server was built without its web page. The API is under /v1, for example:\n\n"
	"  curl -H \"Authorization: Bearer $PORTUNUS_OPERATOR_TOKEN\" http://HOST:PORT/v1/rules\n\n"
	"and `portunus-server --help` lists the commands that use it.\n";

void page_get(struct call *c)
{
	struct evbuffer *out;

	if (strcmp(c->path, "/") && strcmp(c->path, "/index.html")) {
		call_error(c, 404, "not_found", "there is nothing here; the API is under /v1");
		return;
	}
	if (c->method != METHOD_GET) {
		call_add_header(c, "Allow", "GET");
		call_error(c, 405, "method_not_allowed", "this path takes GET");
		return;
	}
	out = evbuffer_new();
	if (out)
		evbuffer_add(out, text, sizeof(text) - 1);
	call_add_header(c, "X-Frame-Options", "DENY");
	call_add_header(c, "X-Content-Type-Options", "nosniff");
	call_buffer(c, 200, "text/plain; charset=utf-8", out);
}
