// SPDX-License-Identifier: MIT
/* Calls without a connection: the command line in the same process, on the store itself. */
#include "api/local.h"

#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include "api/call/call.h"
#include "api/route.h"
#include "server/store/store.h"

struct local {
	void (*answer)(void *arg, const struct api_answer *a);
	void *arg;
};

static const char *local_header(void *link, const char *name)
{
	return !strcmp(name, "Content-Type") ? "application/json" : NULL;
}

static void local_answer(void *link, int status, const struct call_header *headers, unsigned n,
			 struct evbuffer *body, bool head)
{
	struct local *l = link;
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

void api_local(struct api *api, const char *method, const char *target, const char *body,
	       void (*answer)(void *arg, const struct api_answer *a), void *arg)
{
	struct local l = {.answer = answer, .arg = arg};
	struct call *c = call_new(api, &local_transport, &l, target);

	if (!c) {
		answer(arg, &(struct api_answer){.status = 500, .body = ""});
		return;
	}
	c->local = true;
	c->method = method_parse(method);
	c->who.role = ROLE_ADMIN;
	snprintf(c->who.name, sizeof(c->who.name), "_local");
	c->body = body;
	c->body_len = body ? strlen(body) : 0;
	route_call(c);
	/* What is to be answered when it is stored. */
	store_settle(api->store);
}
