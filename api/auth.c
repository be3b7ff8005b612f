// SPDX-License-Identifier: MIT
/* Who asks: bearer tokens, browser sessions with their CSRF rules, and the audit of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api_internal.h"
#include "api/session.h"
#include "lib/log.h"
#include "server/audit.h"

static const char *const method_text[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "OTHER"};

static const char *method_name(enum method m)
{
	return method_text[__builtin_ctz(m)];
}

void api_count_denied(struct api *api, const char *code)
{
	for (size_t i = 0; i < DENY_CODES_MAX; i++) {
		if (!api->denied[i].code[0])
			snprintf(api->denied[i].code, sizeof(api->denied[i].code), "%s", code);
		if (!strcmp(api->denied[i].code, code)) {
			api->denied[i].n++;
			return;
		}
	}
}

void api_deny(struct call *c, int status, const char *code, const char *message)
{
	api_count_denied(c->api, code);
	log_event(LOG_WARN, "operator.denied", LOGF_STR("actor", c->who.name),
		  LOGF_STR("path", c->path), LOGF_STR("reason", code),
		  LOGF_STR("remote_addr", c->remote));
	if (status == 401)
		call_add_header(c, "WWW-Authenticate", "Bearer");
	call_error(c, status, code, "%s", message);
}

static bool is_denial(int status, const char *code)
{
	return status == 401 || status == 403 || (code && !strcmp(code, "bootstrap_required"));
}

void api_audit(struct call *c, int status, const char *code)
{
	bool denied = is_denial(status, code);

	/* What only reads is not written down, unless it was refused. */
	if (!denied && (c->method == METHOD_GET || !c->who.name[0]))
		return;
	if (strncmp(c->path, "/v1", 3))
		return;
	audit_add(c->api->audit,
		  &(struct store_audit){
			  .actor = c->who.name[0] ? c->who.name : "_anonymous",
			  .role = c->who.name[0] ? role_contract_text(c->who.role) : NULL,
			  .scope = c->who.name[0] ? role_text(c->who.role) : NULL,
			  .method = method_name(c->method),
			  .path = c->path,
			  .outcome = denied ? "deny" : "allow",
			  .reason = code,
			  .action = c->action,
			  .resource_kind = c->resource[0] ? c->resource_kind : NULL,
			  .resource_value = c->resource[0] ? c->resource : NULL,
			  .details = c->detail[0] ? c->detail : NULL,
		  });
}

/* The secret of the session cookie in @out, if there is one at all. */
bool session_cookie(struct call *c, char *out, size_t size)
{
	static const char name[] = SESSION_COOKIE "=";
	const char *p = call_header(c, "Cookie");

	while (p && *p) {
		size_t n;

		p += strspn(p, " \t;");
		n = strcspn(p, ";");
		if (n >= sizeof(name) - 1 && !memcmp(p, name, sizeof(name) - 1)) {
			snprintf(out, size, "%.*s", (int)(n - sizeof(name) + 1),
				 p + sizeof(name) - 1);
			return true;
		}
		p += n;
	}
	return false;
}

/* Whether @origin is this server's, as configured or by the Host that the browser used. */
static bool same_origin(struct call *c, const char *origin)
{
	const char *host = call_header(c, "Host");

	if (c->api->public_origin)
		return !strcmp(origin, c->api->public_origin);
	if (!strncmp(origin, "http://", 7))
		origin += 7;
	else if (!strncmp(origin, "https://", 8))
		origin += 8;
	return host && !strcmp(origin, host);
}

const char *session_csrf(struct call *c)
{
	const char *origin = call_header(c, "Origin");
	const char *header = call_header(c, "X-Portunus-CSRF");
	const char *type = call_header(c, "Content-Type");
	size_t n = type ? strcspn(type, "; \t") : 0;

	if (!origin)
		return "csrf_origin_required";
	if (!same_origin(c, origin))
		return "csrf_origin_mismatch";
	if (!header || strcmp(header, "1"))
		return "csrf_header_required";
	if (c->body_len &&
	    (n != strlen("application/json") || strncasecmp(type, "application/json", n)))
		return "csrf_content_type_required";
	return NULL;
}

static bool by_cookie(struct call *c, const char *secret)
{
	const char *csrf;

	if (access_session(c->api->access, secret, &c->who)) {
		api_deny(c, 401, "credential_invalid",
			 "credential_invalid: the session has ended; sign in again");
		return false;
	}
	c->by_session = true;
	csrf = c->method & METHODS_WRITING ? session_csrf(c) : NULL;
	if (csrf) {
		api_deny(c, 403, csrf, "csrf verification failed");
		return false;
	}
	return true;
}

static bool by_bearer(struct call *c)
{
	const char *value = call_header(c, "Authorization");
	char token[ACCESS_TOKEN_MAX + 2];
	size_t n;

	if (value && !strncmp(value, "Bearer ", 7)) {
		value += 7 + strspn(value + 7, " \t");
		n = strlen(value);
		while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
			n--;
	} else {
		n = 0;
	}
	if (n == 0) {
		api_deny(c, 401, "unauthenticated",
			 "unauthenticated: send 'Authorization: Bearer <token>'");
		return false;
	}
	snprintf(token, sizeof(token), "%.*s", n > ACCESS_TOKEN_MAX ? 0 : (int)n, value);
	if (access_bearer(c->api->access, token, &c->who)) {
		api_deny(c, 401, "credential_invalid",
			 "credential_invalid: no such token, or it was revoked");
		return false;
	}
	return true;
}

bool api_authenticate(struct call *c)
{
	char secret[ACCESS_TOKEN_MAX + 2];

	if (!access_bootstrapped(c->api->access)) {
		api_deny(c, 503, "bootstrap_required",
			 "bootstrap_required: no admin token exists; stop the server and run "
			 "'portunus-server token-add NAME --role admin', or set operator_token in "
			 "server.toml");
		return false;
	}
	/* A cookie decides alone, even if a good bearer token came with it. */
	if (session_cookie(c, secret, sizeof(secret))) {
		if (!by_cookie(c, secret))
			return false;
	} else if (!by_bearer(c)) {
		return false;
	}
	c->api->allowed++;
	return true;
}
