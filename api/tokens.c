// SPDX-License-Identifier: MIT
/* /v1/tokens: operators' named tokens. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/encode.h"

void tokens_list(struct call *c)
{
	json_t *list = json_array();
	size_t n;
	const struct access_token *t = access_tokens(c->api->access, &n);

	for (size_t i = 0; list && i < n; i++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:o,s:o}", "name", t[i].who.name,
						      "role", role_text(t[i].who.role),
						      "created_at", encode_time(t[i].created_ms),
						      "revoked_at", encode_time(t[i].revoked_ms)));
	call_json(c, 200, list);
}

/* Names with '_' are ours: bootstrap-superadmin makes the one that can be asked for. */
static bool reserved(const struct call *c, const char *name)
{
	return name[0] == '_' && !(c->local && !strcmp(name, ACCESS_SUPERADMIN));
}

static void add(struct call *c, const char *name, const char *role)
{
	char secret[SECRET_TEXT_SIZE];
	int err;

	c->action = "token.add";
	c->resource_kind = "token";
	snprintf(c->resource, sizeof(c->resource), "%s", name);
	if (role_parse(role) == ROLE_NONE) {
		call_error(c, 422, "invalid_role",
			   "invalid_role: choose admin, operator or viewer");
		return;
	}
	if (reserved(c, name)) {
		call_error(c, 422, "reserved_user_id",
			   "reserved_user_id: names that begin with '_' are reserved");
		return;
	}
	if (name[0] == '_' && access_bootstrapped(c->api->access)) {
		call_error(c, 409, "already_bootstrapped",
			   "already_bootstrapped: there is an admin token already");
		return;
	}
	err = access_token_add(c->api->access, name, role_parse(role), NULL, secret);
	if (err == -EEXIST)
		call_error(c, 409, "user_already_exists",
			   "user_already_exists: revoke the token of that name first");
	else if (err == -EINVAL)
		call_error(c, 422, "invalid_user_id",
			   "invalid_user_id: a name has 1 to 64 letters, digits, '.', '-' or '_'");
	else if (err)
		call_store_error(c, err);
	else
		call_json(c, 201,
			  json_pack("{s:s,s:s,s:s}", "name", name, "role", role, "token", secret));
}

void tokens_add(struct call *c)
{
	json_t *body = call_body(c, false);
	const char *name, *role;

	if (!body)
		return;
	call_add_header(c, "Cache-Control", "no-store");
	if (call_body_text(c, body, "name", true, &name) &&
	    call_body_text(c, body, "role", true, &role))
		add(c, name, role);
	json_decref(body);
}

void tokens_revoke(struct call *c)
{
	char name[ACCESS_NAME_SIZE];
	int err;

	snprintf(name, sizeof(name), "%s", c->param);
	c->action = "token.revoke";
	c->resource_kind = "token";
	snprintf(c->resource, sizeof(c->resource), "%s", name);
	err = access_token_revoke(c->api->access, name);
	if (err == -ENOENT) {
		call_error(c, 404, "credential_not_found",
			   "credential_not_found: no live token is named '%s'", name);
	} else if (err == -EBUSY) {
		call_error(c, 409, "last_superadmin",
			   "last_superadmin: without this token nobody could do anything");
	} else if (err) {
		call_store_error(c, err);
	} else {
		struct api *api = c->api;

		call_empty(c, 204);
		streams_end(api, name);
	}
}
