// SPDX-License-Identifier: MIT
/* The table of routes, and what happens before a handler runs. */
#include "api/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/http.h>

#include "api/call/auth.h"
#include "api/call/call.h"
#include "api/call/deny.h"
#include "api/routes/audit.h"
#include "api/routes/changes.h"
#include "api/routes/clients.h"
#include "api/routes/flows.h"
#include "api/routes/health.h"
#include "api/routes/events.h"
#include "api/routes/metrics.h"
#include "api/routes/openapi.h"
#include "api/routes/owners.h"
#include "api/routes/page.h"
#include "api/routes/renewal.h"
#include "api/routes/rules.h"
#include "api/routes/rules_list.h"
#include "api/routes/session.h"
#include "api/routes/sni.h"
#include "api/routes/stats.h"
#include "api/routes/stream.h"
#include "api/routes/tokens.h"
#include "server/access/audit.h"

enum access_need { NEED_NOTHING, NEED_VIEWER, NEED_OPERATOR, NEED_ADMIN };

struct route {
	const char *pattern; /* "*" stands for one segment, the call's param */
	enum method method;
	enum access_need need;
	void (*handler)(struct call *c);
};

static const struct route routes[] = {
	{"/healthz", METHOD_GET, NEED_NOTHING, health_live},
	{"/readyz", METHOD_GET, NEED_NOTHING, health_ready},
	{"/v1/rules", METHOD_GET, NEED_VIEWER, rules_list},
	{"/v1/rules", METHOD_POST, NEED_OPERATOR, rules_push},
	{"/v1/rules/*", METHOD_GET, NEED_VIEWER, rules_get},
	{"/v1/rules/*", METHOD_PUT, NEED_OPERATOR, rules_update},
	{"/v1/rules/*", METHOD_DELETE, NEED_OPERATOR, rules_remove},
	{"/v1/rules/*/failback", METHOD_POST, NEED_OPERATOR, rules_failback},
	{"/v1/rules/*/flows", METHOD_GET, NEED_VIEWER, flows_get},
	{"/v1/rules/*/stats", METHOD_GET, NEED_VIEWER, stats_get},
	{"/v1/rules/*/stats/stream", METHOD_GET, NEED_VIEWER, stats_stream},
	{"/v1/health-changes", METHOD_GET, NEED_VIEWER, changes_get},
	{"/v1/events", METHOD_GET, NEED_VIEWER, events_get},
	{"/v1/clients", METHOD_GET, NEED_VIEWER, clients_list},
	{"/v1/clients/*", METHOD_PUT, NEED_ADMIN, clients_readdress},
	{"/v1/clients/*", METHOD_DELETE, NEED_ADMIN, clients_delete},
	{"/v1/clients/*/sni-listeners", METHOD_GET, NEED_VIEWER, sni_listeners},
	{"/v1/clients/*/name", METHOD_PATCH, NEED_ADMIN, clients_rename},
	{"/v1/clients/*/revoke", METHOD_POST, NEED_ADMIN, clients_revoke},
	{"/v1/clients/*/enrollment", METHOD_POST, NEED_ADMIN, clients_reenroll},
	{"/v1/clients/*/token", METHOD_POST, NEED_ADMIN, token_rotate},
	{"/v1/clients/*/owners", METHOD_GET, NEED_ADMIN, owners_list},
	{"/v1/clients/*/owners/*/rate-limit", METHOD_GET, NEED_ADMIN, owner_caps_get},
	{"/v1/clients/*/owners/*/rate-limit", METHOD_PUT, NEED_ADMIN, owner_caps_put},
	{"/v1/clients/*/owners/*/rate-limit", METHOD_DELETE, NEED_ADMIN, owner_caps_delete},
	{"/v1/certificate", METHOD_GET, NEED_ADMIN, certificate_get},
	{"/v1/certificate", METHOD_POST, NEED_ADMIN, certificate_rotate},
	{"/v1/client-enrollments", METHOD_POST, NEED_ADMIN, clients_enroll},
	{"/v1/metrics", METHOD_GET, NEED_ADMIN, metrics_get},
	{"/v1/audit", METHOD_GET, NEED_ADMIN, audit_get},
	{"/v1/openapi.json", METHOD_GET, NEED_VIEWER, openapi_get},
	{"/v1/users/me", METHOD_GET, NEED_VIEWER, identity_me},
	{"/v1/tokens", METHOD_GET, NEED_ADMIN, tokens_list},
	{"/v1/tokens", METHOD_POST, NEED_ADMIN, tokens_add},
	{"/v1/tokens/*", METHOD_DELETE, NEED_ADMIN, tokens_revoke},
	{"/v1/auth/status", METHOD_GET, NEED_NOTHING, session_status},
	{"/v1/auth/token", METHOD_POST, NEED_NOTHING, session_login},
	{"/v1/auth/logout", METHOD_POST, NEED_NOTHING, session_logout},
};

/* A variable part of a path, not decoded. */
struct part {
	const char *text; /* NULL: there is none */
	size_t len;
};

#define PARTS_MAX 2

/* Whether @path fits; @part then says what each "*" stands for. */
static bool matches(const char *pattern, const char *path, struct part part[PARTS_MAX])
{
	unsigned n = 0;

	for (; *pattern; pattern++) {
		if (*pattern == '*') {
			size_t len = strcspn(path, "/");

			if (len == 0)
				return false;
			part[n++] = (struct part){path, len};
			path += len;
		} else if (*pattern != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

/* Cuts a variable part out of the path and decodes it. */
static bool take_param(const struct part *part, char **out)
{
	char *raw = strndup(part->text, part->len);
	size_t decoded;

	if (raw)
		*out = evhttp_uridecode(raw, 0, &decoded);
	/* An encoded NUL would cut it short without anybody noticing. */
	if (*out && strlen(*out) != decoded)
		**out = '\0';
	free(raw);
	return *out != NULL;
}

/*
 * The route for a call; *allow gets the methods that the path has at all, *open whether it is one
 * that needs no credential.
 */
static const struct route *find(struct call *c, unsigned *allow, bool *open)
{
	*allow = 0;
	*open = false;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		struct part part[PARTS_MAX] = {{NULL, 0}};

		if (!matches(routes[i].pattern, c->path, part))
			continue;
		*allow |= routes[i].method;
		*open = routes[i].need == NEED_NOTHING;
		if (routes[i].method != c->method)
			continue;
		if ((part[0].text && !take_param(&part[0], &c->param)) ||
		    (part[1].text && !take_param(&part[1], &c->param2)))
			return NULL;
		return &routes[i];
	}
	return NULL;
}

static void wrong_method(struct call *c, unsigned allow)
{
	char text[64] = "";

	for (enum method m = METHOD_GET; m != METHOD_OTHER; m <<= 1)
		if (allow & m)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 *text ? ", " : "", method_text(m));
	call_add_header(c, "Allow", "%s", text);
	call_error(c, 405, "method_not_allowed", "this path takes %s", text);
}

static bool under_v1(const char *path)
{
	return !strncmp(path, "/v1", 3) && (path[3] == '/' || path[3] == '\0');
}

static const enum role role_needed[] = {
	[NEED_NOTHING] = ROLE_NONE,
	[NEED_VIEWER] = ROLE_VIEWER,
	[NEED_OPERATOR] = ROLE_OPERATOR,
	[NEED_ADMIN] = ROLE_ADMIN,
};

void route_call(struct call *c)
{
	struct audit *audit;
	unsigned allow;
	bool open;
	const struct route *r = find(c, &allow, &open);

	if (!allow && !under_v1(c->path)) {
		page_get(c);
		return;
	}
	/* Who is nobody learns nothing of which paths exist. */
	if (!open && !c->local && !auth_call(c))
		return;
	if (!r) {
		if (allow)
			wrong_method(c, allow);
		else
			call_error(c, 404, "not_found", "there is nothing at %s", c->path);
		return;
	}
	if (c->who.role < role_needed[r->need]) {
		deny(c, 403, "role_required", "role_required: %s",
		     r->need == NEED_ADMIN ? "this needs an admin token"
					   : "this token may only read");
		return;
	}
	audit = c->api->audit;
	if (c->method & METHODS_WRITING && c->who.name[0])
		call_attend(c);
	r->handler(c); /* which may have freed the call */
	audit_leave(audit, c);
}
