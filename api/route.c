// SPDX-License-Identifier: MIT
/* The table of routes, and what happens before a handler runs. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/http.h>

#include "api/api_internal.h"

enum access_need { NEED_NOTHING, NEED_VIEWER, NEED_OPERATOR, NEED_ADMIN };

struct route {
	const char *pattern; /* "*" stands for one segment, the call's param */
	enum method method;
	enum access_need need;
	void (*handler)(struct call *c);
};

static const struct route routes[] = {
	{"/v1/rules", METHOD_GET, NEED_VIEWER, rules_list},
	{"/v1/rules", METHOD_POST, NEED_OPERATOR, rules_push},
	{"/v1/rules/*", METHOD_GET, NEED_VIEWER, rules_get},
	{"/v1/rules/*", METHOD_PUT, NEED_OPERATOR, rules_update},
	{"/v1/rules/*", METHOD_DELETE, NEED_OPERATOR, rules_remove},
	{"/v1/rules/*/stats", METHOD_GET, NEED_VIEWER, stats_get},
	{"/v1/rules/*/stats/stream", METHOD_GET, NEED_VIEWER, stats_stream},
	{"/v1/health-changes", METHOD_GET, NEED_VIEWER, changes_get},
	{"/v1/clients", METHOD_GET, NEED_VIEWER, clients_list},
	{"/v1/clients/*", METHOD_PUT, NEED_ADMIN, clients_readdress},
	{"/v1/clients/*", METHOD_DELETE, NEED_ADMIN, clients_delete},
	{"/v1/clients/*/name", METHOD_PATCH, NEED_ADMIN, clients_rename},
	{"/v1/clients/*/revoke", METHOD_POST, NEED_ADMIN, clients_revoke},
	{"/v1/clients/*/enrollment", METHOD_POST, NEED_ADMIN, clients_reenroll},
	{"/v1/client-enrollments", METHOD_POST, NEED_ADMIN, clients_enroll},
	{"/v1/metrics", METHOD_GET, NEED_ADMIN, metrics_get},
	{"/v1/audit", METHOD_GET, NEED_ADMIN, audit_get},
	{"/v1/users/me", METHOD_GET, NEED_VIEWER, identity_me},
	{"/v1/tokens", METHOD_GET, NEED_ADMIN, tokens_list},
	{"/v1/tokens", METHOD_POST, NEED_ADMIN, tokens_add},
	{"/v1/tokens/*", METHOD_DELETE, NEED_ADMIN, tokens_revoke},
	{"/v1/auth/status", METHOD_GET, NEED_NOTHING, session_status},
	{"/v1/auth/token", METHOD_POST, NEED_NOTHING, session_login},
	{"/v1/auth/logout", METHOD_POST, NEED_NOTHING, session_logout},
};

static const char *const method_names[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};

/* Whether @path fits; *param then points at what "*" stands for, of *len bytes. */
static bool matches(const char *pattern, const char *path, const char **param, size_t *len)
{
	for (; *pattern; pattern++) {
		if (*pattern == '*') {
			*param = path;
			*len = strcspn(path, "/");
			if (*len == 0)
				return false;
			path += *len;
		} else if (*pattern != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

/* Cuts the variable part out of the path and decodes it. */
static bool take_param(struct call *c, const char *param, size_t len)
{
	char *raw = strndup(param, len);
	size_t decoded;

	if (raw)
		c->param = evhttp_uridecode(raw, 0, &decoded);
	/* An encoded NUL would cut it short without anybody noticing. */
	if (c->param && strlen(c->param) != decoded)
		c->param[0] = '\0';
	free(raw);
	return c->param != NULL;
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
		const char *param = NULL;
		size_t len;

		if (!matches(routes[i].pattern, c->path, &param, &len))
			continue;
		*allow |= routes[i].method;
		*open = routes[i].need == NEED_NOTHING;
		if (routes[i].method != c->method)
			continue;
		return param && !take_param(c, param, len) ? NULL : &routes[i];
	}
	return NULL;
}

static void wrong_method(struct call *c, unsigned allow)
{
	char text[64] = "";

	for (unsigned i = 0; i < 5; i++)
		if (allow & 1u << i)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 *text ? ", " : "", method_names[i]);
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

void api_dispatch(struct call *c)
{
	unsigned allow;
	bool open;
	const struct route *r = find(c, &allow, &open);

	if (!under_v1(c->path)) {
		page_get(c);
		return;
	}
	/* Who is nobody learns nothing of which paths exist. */
	if (!open && !c->local && !api_authenticate(c))
		return;
	if (!r) {
		if (allow)
			wrong_method(c, allow);
		else
			call_error(c, 404, "not_found", "there is nothing at %s", c->path);
		return;
	}
	if (c->who.role < role_needed[r->need]) {
		api_deny(c, 403, "role_required",
			 r->need == NEED_ADMIN ? "role_required: this needs an admin token"
					       : "role_required: this token may only read");
		return;
	}
	r->handler(c);
}
