// SPDX-License-Identifier: MIT
/* Signing in and out in a browser, and who one is. */
#include "api/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "lib/clock.h"
#include "lib/log.h"

/* After five failures within 15 minutes an address waits: 60 s, doubling to 15 minutes. */
#define FAILURES_FREE	5
#define FAILURES_WINDOW (15 * 60 * NS_PER_SEC)
#define LOCK_FIRST	(60 * NS_PER_SEC)
#define LOCK_MAX	(15 * 60 * NS_PER_SEC)
#define ADDRESSES_MAX	256

struct login_failures {
	struct {
		char remote[ADDR_TEXT_MAX];
		unsigned n;
		uint64_t last_ns, locked_until_ns;
	} of[ADDRESSES_MAX];
};

/* The row of an address: its own, or the one that is unused for longest, cleared. */
static size_t row_of(struct login_failures *f, const char *remote)
{
	size_t oldest = 0;

	for (size_t i = 0; i < ADDRESSES_MAX; i++) {
		if (!strcmp(f->of[i].remote, remote))
			return i;
		if (f->of[i].last_ns < f->of[oldest].last_ns)
			oldest = i;
	}
	memset(&f->of[oldest], 0, sizeof(f->of[oldest]));
	strncpy(f->of[oldest].remote, remote, sizeof(f->of[oldest].remote) - 1);
	return oldest;
}

static bool locked(struct call *c)
{
	struct api *api = c->api;

	if (!api->logins)
		api->logins = calloc(1, sizeof(*api->logins));
	return api->logins &&
	       clock_mono_ns() < api->logins->of[row_of(api->logins, c->remote)].locked_until_ns;
}

static void note_failure(struct call *c)
{
	struct login_failures *f = c->api->logins;
	uint64_t now = clock_mono_ns(), lock = LOCK_FIRST;
	size_t i;

	if (!f)
		return;
	i = row_of(f, c->remote);
	if (now - f->of[i].last_ns > FAILURES_WINDOW)
		f->of[i].n = 0;
	f->of[i].last_ns = now;
	f->of[i].n++;
	for (unsigned n = FAILURES_FREE; n < f->of[i].n && lock < LOCK_MAX; n++)
		lock *= 2;
	if (f->of[i].n >= FAILURES_FREE)
		f->of[i].locked_until_ns = now + (lock < LOCK_MAX ? lock : LOCK_MAX);
}

static void forgive(struct call *c)
{
	struct login_failures *f = c->api->logins;

	if (f)
		memset(&f->of[row_of(f, c->remote)], 0, sizeof(f->of[0]));
}

static bool is_https(const struct call *c)
{
	const char *origin = c->api->public_origin;

	return c->tls || (origin && !strncmp(origin, "https:", 6));
}

static void set_cookie(struct call *c, const char *secret, long max_age)
{
	call_add_header(c, "Set-Cookie",
			SESSION_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%ld%s",
			secret, max_age, is_https(c) ? "; Secure" : "");
	call_add_header(c, "Cache-Control", "no-store");
}

void session_status(struct call *c)
{
	char secret[ACCESS_TOKEN_MAX + 2];
	struct identity who;
	/* So that the page need not provoke a 401 to find out. */
	bool in = session_cookie(c, secret, sizeof(secret)) &&
		  !access_session(c->api->access, secret, &who);

	call_add_header(c, "Cache-Control", "no-store");
	call_json(c, 200,
		  json_pack("{s:b,s:b}", "onboarding_required",
			    !access_bootstrapped(c->api->access), "signed_in", in));
}

void session_login(struct call *c)
{
	char secret[SECRET_TEXT_SIZE];
	const char *token;
	json_t *body;
	int err;

	if (locked(c)) {
		call_add_header(c, "Retry-After", "60");
		call_error(c, 429, "rate_limited",
			   "rate_limited: too many failed sign-ins; wait a minute");
		return;
	}
	body = call_body(c, false);
	if (!body)
		return;
	if (!call_body_text(c, body, "token", true, &token)) {
		json_decref(body);
		return;
	}
	err = access_login(c->api->access, token, secret, &c->who);
	json_decref(body);
	if (err == -EACCES) {
		note_failure(c);
		c->who.name[0] = '\0';
		api_deny(c, 401, "invalid_login", "invalid_login: no such token");
	} else if (err) {
		call_store_error(c, err);
	} else {
		forgive(c);
		set_cookie(c, secret, ACCESS_SESSION_MAX_SEC);
		call_empty(c, 204);
	}
}

void session_logout(struct call *c)
{
	char secret[ACCESS_TOKEN_MAX + 2];
	const char *csrf;

	if (!session_cookie(c, secret, sizeof(secret))) {
		api_deny(c, 401, "unauthenticated", "unauthenticated: there is no session");
		return;
	}
	csrf = session_csrf(c);
	if (csrf) {
		api_deny(c, 403, csrf, "csrf verification failed");
		return;
	}
	if (access_logout(c->api->access, secret)) {
		api_deny(c, 401, "credential_invalid", "credential_invalid: the session has ended");
		return;
	}
	set_cookie(c, "", 0);
	call_empty(c, 204);
}

void identity_me(struct call *c)
{
	call_add_header(c, "Cache-Control", "no-store");
	call_json(c, 200,
		  json_pack("{s:s,s:s,s:s,s:s}", "user_id", c->who.name, "role",
			    role_contract_text(c->who.role), "display_name", c->who.name, "scope",
			    role_text(c->who.role)));
}
