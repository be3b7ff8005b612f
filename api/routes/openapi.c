// SPDX-License-Identifier: MIT
/* /v1/openapi.json: what this API is, for programs that read such descriptions. */
#include "api/routes/openapi.h"

#include <string.h>

#include <event2/buffer.h>

#include "api/call/call.h"

void openapi_get(struct call *c)
{
	struct evbuffer *out = evbuffer_new();

	if (out && evbuffer_add_reference(out, openapi_text, strlen(openapi_text), NULL, NULL)) {
		evbuffer_free(out);
		out = NULL;
	}
	call_buffer(c, 200, "application/json", out);
}
