// SPDX-License-Identifier: MIT
/* Calls without a connection: the command line in the same process, on the store itself. */
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include "api/api_internal.h"

struct local {
	void (*answer)(void *arg, const struct api_answer *a);
	void *arg;
};

static const char *local_header(struct call *c, const char *name)
{
	return !strcmp(name, "Content-Type") ? "application/json" : NULL;
}

static void local_answer(struct call *c, int status, struct evbuffer *body)
{
	struct local *l = c->link;
	struct api_answer a = {.status = status, .body = ""};

	if (body && evbuffer_get_length(body)) {
		a.len = evbuffer_get_length(body);
		evbuffer_add(body, "", 1);
		a.body = (const char *)evbuffer_pullup(body, -1);
	}
	l->answer(l->arg, &a);
}

static const struct call_transport local_transport = {
	.header = local_header,
	.answer = local_answer,
};

static enum method method_of_text(const char *text)
{
	static const struct {
		const char *text;
		enum method method;
	} methods[] = {
		{"GET", METHOD_GET},	   {"POST", METHOD_POST},   {"PUT", METHOD_PUT},
		{"DELETE", METHOD_DELETE}, {"PATCH", METHOD_PATCH},
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (!strcmp(methods[i].text, text))
			return methods[i].method;
	return METHOD_OTHER;
}

void api_local(struct api *api, const char *method, const char *target, const char *body,
	       void (*answer)(void *arg, const struct api_answer *a), void *arg)
{
	struct local l = {.answer = answer, .arg = arg};
	struct call *c = api_call_new(api, &local_transport, &l, target);

	if (!c) {
		answer(arg, &(struct api_answer){.status = 500, .body = ""});
		return;
	}
	c->local = true;
	c->method = method_of_text(method);
	c->who.role = ROLE_ADMIN;
	snprintf(c->who.name, sizeof(c->who.name), "_local");
	c->body = body;
	c->body_len = body ? strlen(body) : 0;
	api_dispatch(c);
}
