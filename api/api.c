// SPDX-License-Identifier: MIT
/* The operators' interface put together: its listeners, and what carries a request to a handler. */
#include "api/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "api/call/auth.h"
#include "api/call/call.h"
#include "api/call/forwarded.h"
#include "api/call/slices.h"
#include "api/call/throttle.h"
#include "api/http/conn.h"
#include "api/http/listener.h"
#include "api/route.h"
#include "api/routes/metrics.h"
#include "api/routes/stream.h"
#include "lib/base/clock.h"
#include "server/store/store.h"

/* ---- a call over a connection ---- */

static const char *http_header(void *link, const char *name)
{
	return http_head_field(http_conn_head(link), name);
}

static unsigned fields_of(const struct call_header *headers, unsigned n, struct http_field *out)
{
	for (unsigned i = 0; i < n; i++)
		out[i] = (struct http_field){headers[i].name, headers[i].value};
	return n;
}

static void http_answer(void *link, int status, const struct call_header *headers, unsigned n,
			struct evbuffer *body, bool head)
{
	struct http_field fields[CALL_HEADERS_MAX];

	http_conn_answer(link, status, fields, fields_of(headers, n, fields), body, head);
}

static void http_judged(void *link, bool good)
{
	if (good)
		http_conn_known(link);
	else
		http_conn_refused(link);
}

static void http_stream_begin(void *link, const struct call_header *headers, unsigned n)
{
	struct http_field fields[CALL_HEADERS_MAX];

	http_conn_stream_begin(link, fields, fields_of(headers, n, fields));
}

static void http_stream_send(void *link, struct evbuffer *data)
{
	http_conn_stream_send(link, data);
}

static size_t http_stream_unread(void *link)
{
	return http_conn_unsent(link);
}

static void http_stream_end(void *link, bool cut)
{
	http_conn_on_left(link, NULL, NULL);
	if (cut)
		http_conn_end(link);
	else
		http_conn_stream_end(link);
}

static void http_on_left(void *link, void (*left)(void *arg), void *arg)
{
	http_conn_on_left(link, left, arg);
}

static const struct call_transport http_transport = {
	.header = http_header,
	.answer = http_answer,
	.judged = http_judged,
	.stream_begin = http_stream_begin,
	.stream_send = http_stream_send,
	.stream_unread = http_stream_unread,
	.stream_end = http_stream_end,
	.on_left = http_on_left,
};

/* Where a call comes from: of the connection, or what trusted proxies say. */
static void place_call(struct call *c, struct http_conn *conn)
{
	const struct proxies *proxies = c->api->proxies;
	const struct http_head *head = http_conn_head(conn);
	const char *values[HTTP_FIELDS_MAX];
	union addr client;
	unsigned n;

	n = http_head_fields(head, "X-Forwarded-For", values);
	proxies_client(proxies, &conn->addr, values, n, &client);
	addr_text_host(&client, c->remote, sizeof(c->remote));
	n = http_head_fields(head, "X-Forwarded-Proto", values);
	c->https = conn->ssl || (proxies_trust(proxies, &conn->addr) && forwarded_https(values, n));
}

/* The target below the base path. Proxies pass that path on, or have taken it off. */
static const char *below_base(const struct api *api, const char *target)
{
	size_t n = strlen(api->base_path);

	return n && !strncmp(target, api->base_path, n) && target[n] == '/' ? target + n : target;
}

/* NULL when the request has been answered: there was no memory for it. */
static struct call *call_of_request(struct api *api, struct http_conn *conn)
{
	const struct http_head *head = http_conn_head(conn);
	struct call *c = call_new(api, &http_transport, conn, below_base(api, head->target));

	if (!c) {
		http_conn_answer(conn, 503, NULL, 0, NULL, false);
		return NULL;
	}
	c->head = !strcmp(head->method, "HEAD");
	c->method = c->head ? METHOD_GET : method_parse(head->method);
	place_call(c, conn);
	c->body = http_conn_body(conn, &c->body_len);
	return c;
}

/* Before a larger body is read: a call that is not handed on. */
static bool is_vouched(struct http_conn *conn, void *arg)
{
	struct call *c = call_new(arg, &http_transport, conn, "/");
	bool good = c && auth_is_good(c);

	http_conn_on_left(conn, NULL, NULL);
	if (c)
		call_free(c);
	return good;
}

static void on_request(struct http_conn *conn, void *arg)
{
	struct call *c = call_of_request(arg, conn);

	if (!c)
		return;
	/* The page's links are relative to its base with a slash at the end. */
	if (*c->api->base_path && !strcmp(c->path, c->api->base_path)) {
		call_add_header(c, "Location", "%s/", c->api->base_path);
		call_empty(c, 308);
		return;
	}
	route_call(c);
}

static void on_metrics(struct http_conn *conn, void *arg)
{
	struct call *c = call_of_request(arg, conn);

	if (!c)
		return;
	if (strcmp(c->path, "/metrics")) {
		call_error(c, 404, "not_found", "metrics are at /metrics");
	} else if (c->method != METHOD_GET) {
		call_add_header(c, "Allow", "GET");
		call_error(c, 405, "method_not_allowed", "only GET");
	} else {
		metrics_get(c);
	}
}

/* ---- the interface ---- */

/* A credential is no more: what was opened with it ends. */
static void on_credential_ended(void *arg, const char *token, const char *session)
{
	streams_end(arg, token, session);
}

/*
 * Browsers send a cookie to every port of a host: each installation's has a name of its own, so that
 * two of them on one host do not sign each other's users out.
 */
static void name_cookie(struct api *api)
{
	char *id = NULL, secret[SECRET_TEXT_SIZE], hash[SECRET_HASH_SIZE];
	struct store_tx *tx;

	if (store_setting_get(api->store, "installation", &id) == -ENOENT && !secret_new(secret)) {
		secret_hash(secret, hash);
		hash[8] = '\0';
		id = strdup(hash);
		tx = store_begin(api->store);
		store_setting_put(tx, "installation", hash);
		store_commit_wait(tx);
	}
	snprintf(api->cookie, sizeof(api->cookie), "portunus_session_%.16s", id ? id : "0");
	free(id);
}

struct api *api_new(const struct api_config *config)
{
	struct api *api = calloc(1, sizeof(*api));

	if (!api)
		return NULL;
	api->base = config->base;
	api->store = config->store;
	api->fleet = config->fleet;
	api->access = config->access;
	api->audit = config->audit;
	api->enroll = config->enroll;
	api->auth_failures = config->auth_failures;
	api->no_room = config->no_room;
	api->no_room_arg = config->no_room_arg;
	api->started_ms = clock_wall_ms();
	api->public_origin = config->public_origin ? strdup(config->public_origin) : NULL;
	api->base_path = strdup(config->base_path ? config->base_path : "");
	api->proxies = proxies_new(config->trusted_proxies);
	api->sign_ins = throttle_new();
	api->slices = slices_new(config->base);
	api->http = http_listener_new(&(struct http_listener_config){.base = config->base,
								     .tls = config->tls,
								     .vouched = is_vouched,
								     .on_call = on_request,
								     .arg = api});
	api->metrics_http = http_listener_new(&(struct http_listener_config){.base = config->base,
									     .on_call = on_metrics,
									     .arg = api});
	if (!api->http || !api->metrics_http || !api->base_path || !api->proxies ||
	    !api->sign_ins || !api->slices || (config->public_origin && !api->public_origin)) {
		api_free(api);
		return NULL;
	}
	api->tls = config->tls;
	access_on_end(api->access, on_credential_ended, api);
	return api;
}

int api_listen(struct api *api, const union addr *at, union addr *bound)
{
	name_cookie(api);
	return http_listen(api->http, at, bound);
}

int api_listen_metrics(struct api *api, const union addr *at, union addr *bound)
{
	return http_listen(api->metrics_http, at, bound);
}

void api_set_control_tls(struct api *api, const struct ssl_ctx_st *tls)
{
	api->control_tls = tls;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	access_on_end(api->access, NULL, NULL);
	streams_end(api, NULL, NULL);
	http_listener_free(api->http);
	http_listener_free(api->metrics_http);
	slices_free(api->slices);
	free(api->public_origin);
	free(api->base_path);
	proxies_free(api->proxies);
	throttle_free(api->sign_ins);
	free(api);
}
