// SPDX-License-Identifier: MIT
/* Who asks: a bearer token, or a browser's sign-in. */
#include "api/call/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/call/call.h"
#include "api/call/cookie.h"
#include "api/call/deny.h"

static bool by_cookie(struct call *c, const char *secret)
{
	if (access_session(c->api->access, secret, &c->who)) {
		deny(c, 401, "credential_invalid",
		     "credential_invalid: the session has ended; sign in again");
		return false;
	}
	secret_hash(secret, c->session);
	return !(c->method & METHODS_WRITING) || cookie_csrf_ok(c);
}

/* The token in "Bearer TOKEN", of *len bytes; NULL for another scheme or none. */
static const char *bearer_of(const char *value, size_t *len)
{
	static const char scheme[] = "Bearer "; /* in any case (RFC 9110, 11.1) */

	if (!value || strncasecmp(value, scheme, sizeof(scheme) - 1))
		return NULL;
	value += sizeof(scheme) - 1;
	value += strspn(value, " \t");
	*len = strlen(value);
	while (*len && (value[*len - 1] == ' ' || value[*len - 1] == '\t'))
		--*len;
	return *len ? value : NULL;
}

static bool by_bearer(struct call *c)
{
	char token[ACCESS_TOKEN_MAX + 1] = "";
	size_t n;
	const char *value = bearer_of(call_header(c, "Authorization"), &n);

	if (!value) {
		deny(c, 401, "unauthenticated",
		     "unauthenticated: send 'Authorization: Bearer <token>'");
		return false;
	}
	if (n <= ACCESS_TOKEN_MAX)
		memcpy(token, value, n);
	if (access_bearer(c->api->access, token, &c->who)) {
		deny(c, 401, "credential_invalid",
		     "credential_invalid: no such token, or it was revoked");
		return false;
	}
	return true;
}

bool auth_is_good(struct call *c)
{
	char secret[ACCESS_TOKEN_MAX + 2];
	struct identity who;
	const char *value;
	size_t n;

	if (cookie_secret(c, secret, sizeof(secret)))
		return !access_session(c->api->access, secret, &who);
	value = bearer_of(call_header(c, "Authorization"), &n);
	if (!value || n > ACCESS_TOKEN_MAX)
		return false;
	memcpy(secret, value, n);
	secret[n] = '\0';
	return !access_bearer(c->api->access, secret, &who);
}

bool auth_call(struct call *c)
{
	char secret[ACCESS_TOKEN_MAX + 2];

	if (!access_bootstrapped(c->api->access)) {
		deny(c, 503, "bootstrap_required",
		     "bootstrap_required: no admin token exists; stop the server and run "
		     "'portunus-server token-add NAME --role admin', or set operator_token in "
		     "server.toml");
		return false;
	}
	/* A cookie decides alone, even if a good bearer token came with it. */
	if (cookie_secret(c, secret, sizeof(secret))) {
		if (!by_cookie(c, secret))
			return false;
	} else if (!by_bearer(c)) {
		return false;
	}
	c->api->allowed++;
	if (c->transport->judged)
		c->transport->judged(c->link, true);
	return true;
}
