// SPDX-License-Identifier: MIT
/* The HTTP listeners: from evhttp's request to a call and back. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/listener.h>

#include "api/api_internal.h"
#include "api/conn.h"
#include "api/guard.h"
#include "lib/clock.h"
#include "lib/log.h"

#define ALL_METHODS	0xffff /* unknown ones too: they are answered in JSON, by us */
#define ACCEPT_PAUSE_MS 100

/*
 * A request that is still being answered when its client leaves: evhttp takes it off the connection
 * and then leaves it to us; one that it has kept it frees itself. (libevent 2.1.12)
 */
void api_request_left(struct evhttp_request *req)
{
	if (!evhttp_request_get_connection(req))
		evhttp_request_free(req);
}

static void client_left(struct evhttp_connection *evcon, void *arg)
{
	struct call *c = arg;

	/* Whoever works on the answer finds that nobody wants it. */
	api_request_left(c->link);
	c->link = NULL;
}

static const char *http_header(struct call *c, const char *name)
{
	return c->link ? evhttp_find_header(evhttp_request_get_input_headers(c->link), name) : NULL;
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{200, "OK"},
		{201, "Created"},
		{204, "No Content"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{409, "Conflict"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Error";
}

static void http_answer(struct call *c, int status, struct evbuffer *body)
{
	struct evhttp_request *req = c->link;
	struct evkeyvalq *out = evhttp_request_get_output_headers(req);
	char length[24];

	evhttp_connection_set_closecb(evhttp_request_get_connection(req), NULL, NULL);
	for (unsigned i = 0; i < c->n_headers; i++)
		evhttp_add_header(out, c->headers[i].name, c->headers[i].value);
	/* With these two evhttp sends a body all the same, and never its length (libevent 2.1.12). */
	if (c->head || evhttp_request_get_command(req) == EVHTTP_REQ_CONNECT) {
		snprintf(length, sizeof(length), "%zu", body ? evbuffer_get_length(body) : 0);
		evhttp_add_header(out, "Content-Length", length);
	}
	if (c->head)
		body = NULL;
	evhttp_send_reply(req, status, reason_of(status), body);
}

static const struct call_transport http_transport = {
	.header = http_header,
	.answer = http_answer,
};

struct evhttp_request *api_call_request(struct call *c)
{
	return c->transport == &http_transport ? c->link : NULL;
}

void api_call_free(struct call *c)
{
	free(c->path);
	free(c->query);
	free(c->param);
	free(c);
}

static enum method method_of(struct evhttp_request *req)
{
	switch (evhttp_request_get_command(req)) {
	case EVHTTP_REQ_GET:
	case EVHTTP_REQ_HEAD: /* the same, but for the body: http_answer() */
		return METHOD_GET;
	case EVHTTP_REQ_POST:
		return METHOD_POST;
	case EVHTTP_REQ_PUT:
		return METHOD_PUT;
	case EVHTTP_REQ_DELETE:
		return METHOD_DELETE;
	case EVHTTP_REQ_PATCH:
		return METHOD_PATCH;
	default:
		return METHOD_OTHER;
	}
}

static void answered(struct evhttp_request *req, void *arg)
{
	conn_request_ends(arg, req);
}

struct call *api_call_new(struct api *api, const struct call_transport *transport, void *link,
			  const char *target)
{
	const char *mark = strchr(target, '?');
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->api = api;
	c->transport = transport;
	c->link = link;
	c->path = strndup(target, mark ? (size_t)(mark - target) : strlen(target));
	c->query = mark ? strdup(mark + 1) : NULL;
	if (!c->path || (mark && !c->query)) {
		api_call_free(c);
		return NULL;
	}
	return c;
}

/* The path and query of a request target in any of its forms, or NULL. */
static const char *target_of(struct evhttp_request *req)
{
	const char *uri = evhttp_request_get_uri(req);
	const char *slash;

	if (!uri || *uri == '/' || !*uri)
		return uri && *uri ? uri : NULL;
	slash = strstr(uri, "://"); /* absolute form (RFC 9112, 3.2.2) */
	slash = slash ? strchr(slash + 3, '/') : NULL;
	return slash;
}

static void take_body(struct call *c, struct evhttp_request *req)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(req);

	c->body_len = evbuffer_get_length(in);
	c->body = c->body_len ? (const char *)evbuffer_pullup(in, -1) : NULL;
}

static struct call *call_of_request(struct api *api, struct conns *conns,
				    struct evhttp_request *req)
{
	const char *target = target_of(req);
	const union addr *peer = conn_peer(conns, req);
	struct call *c = api_call_new(api, &http_transport, req, target ? target : "/");

	if (!c)
		return NULL;
	c->method = method_of(req);
	c->head = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD;
	c->tls = api->tls != NULL;
	if (peer)
		addr_text_host(peer, c->remote, sizeof(c->remote));
	take_body(c, req);
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), client_left, c);
	return c;
}

/* evhttp takes any number for a version, overflown ones too, and repeats it in its answer. */
static const char *check_version(struct evhttp_request *req)
{
	bool known = req->major == 1 && req->minor >= 0;

	if (!known || req->minor > 1)
		req->major = req->minor = 1;
	return known ? NULL : "the version of HTTP is none that the server speaks";
}

/* Common to both listeners: NULL when the request has been answered. */
static struct call *admit(struct api *api, struct conns *conns, struct evhttp_request *req)
{
	const char *wrong;
	struct call *c;
	int status;

	conn_request_begins(conns, req);
	evhttp_request_set_on_complete_cb(req, answered, conns);
	c = call_of_request(api, conns, req);
	if (!c) {
		evhttp_send_error(req, HTTP_SERVUNAVAIL, NULL);
		return NULL;
	}
	wrong = check_version(req);
	if (!wrong)
		wrong = guard_headers(evhttp_request_get_input_headers(req), req->minor >= 1);
	if (wrong || !target_of(req)) {
		call_add_header(c, "Connection", "close");
		call_error(c, 400, "bad_request", "%s", wrong ? wrong : "the target is no path");
		return NULL;
	}
	status = conn_too_large(conns, req);
	if (status) {
		call_add_header(c, "Connection", "close");
		call_error(c, status, status == 413 ? "body_too_large" : "headers_too_large",
			   "at most %d bytes", status == 413 ? CONN_BODY_MAX : CONN_HEADER_MAX);
		return NULL;
	}
	return c;
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct api *api = arg;
	struct call *c = admit(api, api->conns, req);

	if (c)
		api_dispatch(c);
}

static void on_metrics(struct evhttp_request *req, void *arg)
{
	struct api *api = arg;
	struct call *c = admit(api, api->metrics_conns, req);

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

/* Out of descriptors, accept() would fail again at once, for ever: pause. */
static void resume_accept(evutil_socket_t fd, short what, void *arg)
{
	evconnlistener_enable(arg);
}

static void accept_failed(struct evconnlistener *l, void *arg)
{
	const struct timeval pause = {.tv_usec = ACCEPT_PAUSE_MS * 1000};
	int err = EVUTIL_SOCKET_ERROR();

	log_event(LOG_WARN, "api.accept_paused", LOGF_STR("error", strerror(err)));
	evconnlistener_disable(l);
	event_base_once(evconnlistener_get_base(l), -1, EV_TIMEOUT, resume_accept, l, &pause);
}

static int listen_on(struct evhttp *http, struct event_base *base, const union addr *at,
		     union addr *bound)
{
	socklen_t len = sizeof(*bound);
	struct evconnlistener *l;
	const int on = 1;
	int fd, err;

	fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Inherited by what it accepts; without it an answer over TLS can wait 40 ms for an ACK. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	    bind(fd, &at->sa, addr_len(at)) || listen(fd, 1024) ||
	    getsockname(fd, &bound->sa, &len))
		goto fail;
	l = evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
			       fd);
	if (!l) {
		errno = ENOMEM;
		goto fail;
	}
	evconnlistener_set_error_cb(l, accept_failed);
	if (!evhttp_bind_listener(http, l)) {
		evconnlistener_free(l);
		return -ENOMEM;
	}
	return 0;
fail:
	err = -errno;
	close(fd);
	return err;
}

int api_listen(struct api *api, const union addr *at, union addr *bound)
{
	return listen_on(api->http, api->base, at, bound);
}

int api_listen_metrics(struct api *api, const union addr *at, union addr *bound)
{
	return listen_on(api->metrics_http, api->base, at, bound);
}

static struct evhttp *http_new(struct api *api, struct ssl_ctx_st *tls, struct conns **conns,
			       void (*cb)(struct evhttp_request *, void *))
{
	struct evhttp *http = evhttp_new(api->base);

	if (!http)
		return NULL;
	evhttp_set_allowed_methods(http, ALL_METHODS);
	evhttp_set_default_content_type(http, NULL);
	evhttp_set_gencb(http, cb, api);
	*conns = conns_new(api->base, http, tls);
	return http;
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
	api->tls = config->tls;
	api->auth_failures = config->auth_failures;
	api->started_ms = clock_wall_ms();
	api->public_origin = config->public_origin ? strdup(config->public_origin) : NULL;
	api->http = http_new(api, config->tls, &api->conns, on_request);
	api->metrics_http = http_new(api, NULL, &api->metrics_conns, on_metrics);
	if (!api->http || !api->conns || !api->metrics_http || !api->metrics_conns ||
	    (config->public_origin && !api->public_origin)) {
		api_free(api);
		return NULL;
	}
	return api;
}

void api_set_enroll(struct api *api, struct enroll *enroll)
{
	api->enroll = enroll;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	streams_end(api, NULL);
	/* evhttp first: it still talks to the connections, whose TLS is ours to free. */
	if (api->http)
		evhttp_free(api->http);
	if (api->metrics_http)
		evhttp_free(api->metrics_http);
	conns_free(api->conns);
	conns_free(api->metrics_conns);
	free(api->public_origin);
	free(api->logins);
	free(api);
}
