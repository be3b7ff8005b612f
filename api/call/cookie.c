// SPDX-License-Identifier: MIT
/* The cookie of a browser's sign-in, and the CSRF rules for writing with it. */
#include "api/call/cookie.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/call/call.h"
#include "api/call/deny.h"

/* Browsers take this prefix as a promise: set over HTTPS, by this host alone, for all of its paths. */
#define HOST_PREFIX "__Host-"

/* Whether the pair of @n bytes at @p has the name @prefix@name. */
static bool is_pair(const char *p, size_t n, const char *prefix, const char *name)
{
	size_t pre = strlen(prefix), len = strlen(name);

	return n > pre + len && !memcmp(p, prefix, pre) && !memcmp(p + pre, name, len) &&
	       p[pre + len] == '=';
}

static bool find(const char *cookies, const char *prefix, const char *name, char *out, size_t size)
{
	for (const char *p = cookies; p && *p;) {
		size_t n, skip = strlen(prefix) + strlen(name) + 1;

		p += strspn(p, " \t;");
		n = strcspn(p, ";");
		if (is_pair(p, n, prefix, name)) {
			snprintf(out, size, "%.*s", (int)(n - skip), p + skip);
			return true;
		}
		p += n;
	}
	return false;
}

bool cookie_secret(const struct call *c, char *out, size_t size)
{
	const char *cookies = call_header(c, "Cookie");

	return find(cookies, HOST_PREFIX, c->api->cookie, out, size) ||
	       find(cookies, "", c->api->cookie, out, size);
}

static bool is_https(const struct call *c)
{
	const char *origin = c->api->public_origin;

	return c->https || (origin && !strncmp(origin, "https:", 6));
}

void cookie_set(struct call *c, const char *secret, long max_age)
{
	const char *path = c->api->base_path;
	bool https = is_https(c);

	call_add_header(c, "Set-Cookie",
			"%s%s=%s; Path=%s; HttpOnly; SameSite=Strict; Max-Age=%ld%s",
			https && !*path ? HOST_PREFIX : "", c->api->cookie, secret,
			*path ? path : "/", max_age, https ? "; Secure" : "");
}

/* The host that the browser asked for, as configured or by its request. */
static const char *own_host(const struct call *c)
{
	const char *origin = c->api->public_origin;
	const char *host = call_header(c, "Host");

	return origin ? strstr(origin, "://") + 3 : host ? host : "";
}

/* Whether @origin is this server's. */
static bool same_origin(const struct call *c, const char *origin)
{
	const char *host = strstr(origin, "://");

	if (c->api->public_origin)
		return !strcmp(origin, c->api->public_origin);
	if (!host || (strncmp(origin, "http:", 5) && strncmp(origin, "https:", 6)))
		return false;
	return !strcasecmp(host + 3, own_host(c));
}

/* The code of the rule that is broken, or NULL. */
static const char *broken(const struct call *c)
{
	const char *origin = call_header(c, "Origin");
	const char *header = call_header(c, "X-Portunus-CSRF");

	if (!origin)
		return "csrf_origin_required";
	if (!same_origin(c, origin))
		return "csrf_origin_mismatch";
	if (!header || strcmp(header, "1"))
		return "csrf_header_required";
	if (c->body_len && !call_has_json(c))
		return "csrf_content_type_required";
	return NULL;
}

bool cookie_csrf_ok(struct call *c)
{
	const char *code = broken(c);

	if (!code)
		return true;
	if (!strcmp(code, "csrf_origin_mismatch"))
		deny(c, 403, code,
		     "csrf verification failed: the page is at '%s', and the server takes itself to "
		     "be at '%s'; set operator_http_public_origin in server.toml to the address that "
		     "stands in the browser",
		     call_header(c, "Origin"), own_host(c));
	else
		deny(c, 403, code, "csrf verification failed");
	return false;
}
