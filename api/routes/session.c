// SPDX-License-Identifier: MIT
/* Signing in and out in a browser, and who one is. */
#include "api/routes/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/call/call.h"
#include "api/call/cookie.h"
#include "api/call/deny.h"
#include "api/call/throttle.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

void session_status(struct call *c)
{
	char secret[ACCESS_TOKEN_MAX + 2];
	struct identity who;
	/* So that the page need not provoke a 401 to find out. */
	bool in = cookie_secret(c, secret, sizeof(secret)) &&
		  !access_session(c->api->access, secret, &who);

	call_json(c, 200,
		  json_pack("{s:b,s:b}", "onboarding_required",
			    !access_bootstrapped(c->api->access), "signed_in", in));
}

/*
 * A credential that is wrong. Whoever has had too many of those has to wait; a right one never does,
 * so that nobody behind the same address can lock others out.
 */
static void refuse_login(struct call *c)
{
	uint64_t now = clock_mono_ns();
	unsigned wait = throttle_wait(c->api->sign_ins, c->remote, now);

	c->who.name[0] = '\0';
	if (wait) {
		call_add_header(c, "Retry-After", "%u", wait);
		deny(c, 429, "rate_limited",
		     "rate_limited: too many failed sign-ins; try again in %u s", wait);
		return;
	}
	throttle_failed(c->api->sign_ins, c->remote, now);
	deny(c, 401, "invalid_login", "invalid_login: no such token");
}

/* A sign-in that is with the store. */
struct login {
	struct call *c;
	char secret[SECRET_TEXT_SIZE];
};

static void signed_in(void *arg, int err)
{
	struct login *l = arg;
	struct call *c = l->c;

	if (err) {
		call_store_error(c, err);
	} else {
		throttle_forgive(c->api->sign_ins, c->remote);
		cookie_set(c, l->secret, ACCESS_SESSION_MAX_SEC);
		call_empty(c, 204);
	}
	explicit_bzero(l, sizeof(*l));
	free(l);
}

static void sign_in(struct call *c, const char *token)
{
	struct login *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	if (l) {
		l->c = c;
		err = access_login(c->api->access, token, l->secret, &c->who, signed_in, l);
	}
	if (!err)
		return;
	free(l);
	if (err == -EACCES)
		refuse_login(c);
	else
		call_store_error(c, err);
}

void session_login(struct call *c)
{
	const char *token;
	json_t *body = call_body(c, false);

	if (!body)
		return;
	if (call_body_text(c, body, "token", true, &token))
		sign_in(c, token);
	json_decref(body);
}

static void signed_out(void *arg, int err)
{
	struct call *c = arg;

	if (!err)
		cookie_set(c, "", 0);
	call_stored(c, err);
}

void session_logout(struct call *c)
{
	char secret[ACCESS_TOKEN_MAX + 2];
	int err;

	if (!cookie_secret(c, secret, sizeof(secret))) {
		deny(c, 401, "unauthenticated", "unauthenticated: there is no session");
		return;
	}
	if (!cookie_csrf_ok(c))
		return;
	err = access_logout(c->api->access, secret, signed_out, c);
	if (err == -EACCES)
		deny(c, 401, "credential_invalid", "credential_invalid: the session has ended");
	else if (err)
		call_store_error(c, err);
}

void identity_me(struct call *c)
{
	call_json(c, 200,
		  json_pack("{s:s,s:s,s:s,s:s}", "user_id", c->who.name, "role",
			    role_contract_text(c->who.role), "display_name", c->who.name, "scope",
			    role_text(c->who.role)));
}
