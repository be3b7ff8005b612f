// SPDX-License-Identifier: MIT
/* /v1/tokens: operators' named tokens. */
#include "api/routes/tokens.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/call/call.h"
#include "api/call/decode_time.h"
#include "api/call/encode.h"
#include "api/call/json.h"
#include "lib/base/clock.h"
#include "lib/base/utf8.h"

void tokens_list(struct call *c)
{
	json_t *list = json_array();
	size_t n;
	const struct access_token *t = access_tokens(c->api->access, &n);

	for (size_t i = 0; list && i < n; i++)
		json_array_append_new(list, json_pack("{s:o,s:s,s:o,s:o,s:o,s:o}", "name",
						      json_text(t[i].who.name), "role",
						      role_text(t[i].who.role), "created_at",
						      encode_time(t[i].created_ms), "revoked_at",
						      encode_time(t[i].revoked_ms), "expires_at",
						      encode_time(t[i].expires_ms), "last_used_at",
						      encode_time(t[i].used_ms)));
	call_json(c, 200, list);
}

/* Names with '_' are ours: bootstrap-superadmin makes the one that can be asked for. */
static bool reserved(const struct call *c, const char *name)
{
	return name[0] == '_' && !(c->local && !strcmp(name, ACCESS_SUPERADMIN));
}

/* A token that is with the store, and what is answered then. */
struct made {
	struct call *c;
	json_t *answer;
};

static void refuse_add(struct call *c, int err)
{
	if (err == -EEXIST)
		call_error(c, 409, "user_already_exists",
			   "user_already_exists: revoke the token of that name first");
	else if (err == -EINVAL)
		call_error(c, 422, "invalid_user_id",
			   "invalid_user_id: a name has 1 to 64 letters, digits, '.', '-' or '_'");
	else
		call_store_error(c, err);
}

static void added(void *arg, int err)
{
	struct made m = *(struct made *)arg;

	free(arg);
	if (!err) {
		call_json(m.c, 201, m.answer);
		return;
	}
	json_decref(m.answer);
	refuse_add(m.c, err);
}

static void store_token(struct call *c, const char *name, const char *role, uint64_t expires_ms)
{
	char secret[SECRET_TEXT_SIZE];
	struct made *m = calloc(1, sizeof(*m));
	int err = m ? access_token_add(c->api->access, name, role_parse(role), expires_ms, secret,
				       added, m)
		    : -ENOMEM;

	if (err) {
		free(m);
		refuse_add(c, err);
		return;
	}
	m->c = c;
	m->answer = json_pack("{s:s,s:s,s:s}", "name", name, "role", role, "token", secret);
}

static void add(struct call *c, const char *name, const char *role, uint64_t expires_ms)
{
	c->action = "token.add";
	c->resource_kind = "token";
	utf8_format(c->resource, sizeof(c->resource), "%s", name);
	if (role_parse(role) == ROLE_NONE)
		call_error(c, 422, "invalid_role",
			   "invalid_role: choose admin, operator or viewer");
	else if (reserved(c, name))
		call_error(c, 422, "reserved_user_id",
			   "reserved_user_id: names that begin with '_' are reserved");
	else if (name[0] == '_' && access_bootstrapped(c->api->access))
		call_error(c, 409, "already_bootstrapped",
			   "already_bootstrapped: there is an admin token already");
	else
		store_token(c, name, role, expires_ms);
}

/* expires_at of a body, 0: never; false: answered. */
static bool read_expiry(struct call *c, json_t *body, uint64_t *expires_ms)
{
	const char *text;

	*expires_ms = 0;
	if (!call_body_text(c, body, "expires_at", false, &text))
		return false;
	if (!text || (decode_time(text, expires_ms) && *expires_ms > clock_wall_ms()))
		return true;
	call_error(c, 422, "invalid_body", "expires_at: has to be a time of RFC 3339 to come");
	return false;
}

void tokens_add(struct call *c)
{
	json_t *body = call_body(c, false);
	const char *name, *role;
	uint64_t expires_ms;

	if (!body)
		return;
	if (call_body_text(c, body, "name", true, &name) &&
	    call_body_text(c, body, "role", true, &role) && read_expiry(c, body, &expires_ms))
		add(c, name, role, expires_ms);
	json_decref(body);
}

static void revoked(void *arg, int err)
{
	struct call *c = arg;

	if (err == -ENOENT)
		call_error(c, 404, "credential_not_found",
			   "credential_not_found: no live token is named '%s'", c->param);
	else if (err == -EPERM)
		call_error(c, 409, "last_superadmin",
			   "last_superadmin: without this token nobody could do anything");
	else
		call_stored(c, err);
}

void tokens_revoke(struct call *c)
{
	const char *name = c->param; /* of any length: a longer one is another's name */
	int err;

	c->action = "token.revoke";
	c->resource_kind = "token";
	utf8_format(c->resource, sizeof(c->resource), "%s", name);
	err = access_token_revoke(c->api->access, name, revoked, c);
	if (err)
		revoked(c, err);
}
