// SPDX-License-Identifier: MIT
/* Reading a request and giving its answer, in the one error envelope. */
#include "api/call/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "api/call/audit_write.h"
#include "api/call/etag.h"
#include "api/call/json.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/utf8.h"
#include "server/access/audit.h"
#include "server/store/store.h"

static void client_left(void *arg)
{
	struct call *c = arg;

	/* Whoever works on the answer finds that nobody wants it. */
	c->link = NULL;
}

struct call *call_new(struct api *api, const struct call_transport *transport, void *link,
		      const char *target)
{
	const char *mark = strchr(target, '?');
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->api = api;
	c->transport = transport;
	c->link = link;
	c->began_ns = clock_mono_ns();
	c->path = strndup(target, mark ? (size_t)(mark - target) : strlen(target));
	c->query = mark ? strdup(mark + 1) : NULL;
	if (!c->path || (mark && !c->query)) {
		call_free(c);
		return NULL;
	}
	if (transport->on_left)
		transport->on_left(link, client_left, c);
	return c;
}

void call_free(struct call *c)
{
	audit_forget(c->api->audit, c);
	for (unsigned i = 0; i < c->n_headers; i++)
		free(c->headers[i].value);
	json_decref(c->warnings);
	free(c->path);
	free(c->query);
	free(c->param);
	free(c->param2);
	free(c);
}

const char *call_header(const struct call *c, const char *name)
{
	return c->link ? c->transport->header(c->link, name) : NULL;
}

char *call_query(const struct call *c, const char *name)
{
	struct evkeyvalq q;
	const char *value;
	char *copy;

	if (!c->query || evhttp_parse_query_str(c->query, &q))
		return NULL;
	value = evhttp_find_header(&q, name);
	copy = value ? strdup(value) : NULL;
	evhttp_clear_headers(&q);
	return copy;
}

bool call_query_number(struct call *c, const char *name, uint64_t *out, bool *given)
{
	char *text = call_query(c, name), *end;
	bool there = text && *text, good = true;

	*out = 0;
	if (there) {
		errno = 0;
		*out = strtoull(text, &end, 10);
		good = *text >= '0' && *text <= '9' && !*end && !errno;
	}
	if (given)
		*given = there;
	free(text);
	if (!good)
		call_error(c, 400, "invalid_query", "invalid_query: %s has to be a number", name);
	return good;
}

bool call_flag(const struct call *c, const char *name)
{
	char *value = call_query(c, name);
	bool on = value && (!strcmp(value, "true") || !strcmp(value, "1") || !strcmp(value, "yes"));

	free(value);
	return on;
}

void call_add_header(struct call *c, const char *name, const char *fmt, ...)
{
	struct call_header *h = &c->headers[c->n_headers];
	va_list ap;
	int n;

	if (c->n_headers == CALL_HEADERS_MAX)
		return;
	h->name = name;
	va_start(ap, fmt);
	n = vasprintf(&h->value, fmt, ap);
	va_end(ap);
	if (n >= 0)
		c->n_headers++;
}

static struct audited audited(const struct call *c, int status, const char *code)
{
	return (struct audited){
		.who = &c->who,
		.method = method_text(c->method),
		.path = c->path,
		.remote = c->remote,
		.reads = c->method == METHOD_GET,
		.status = status,
		.code = code,
		.action = c->action,
		.resource_kind = c->resource_kind,
		.resource = c->resource,
		.detail = c->detail,
		.seq = c->audit_seq,
	};
}

static void fill_row(void *arg, struct store_audit *row)
{
	struct audited a = audited(arg, 200, NULL);

	*row = audit_row(&a);
}

static void row_written(void *arg, uint64_t seq)
{
	struct call *c = arg;

	c->audit_seq = seq;
}

void call_attend(struct call *c)
{
	audit_attend(c->api->audit,
		     &(struct audit_request){.fill = fill_row, .written = row_written, .arg = c});
}

static bool has_header(const struct call *c, const char *name)
{
	for (unsigned i = 0; i < c->n_headers; i++)
		if (!strcmp(c->headers[i].name, name))
			return true;
	return false;
}

/* What every answer says unless its handler has said something else. */
static void add_defaults(struct call *c)
{
	if (!has_header(c, "Cache-Control"))
		call_add_header(c, "Cache-Control", "no-store");
	if (!has_header(c, "X-Content-Type-Options"))
		call_add_header(c, "X-Content-Type-Options", "nosniff");
	if (c->https)
		call_add_header(c, "Strict-Transport-Security", "max-age=31536000");
}

static void finish(struct call *c, int status, const char *code, struct evbuffer *body)
{
	add_defaults(c);
	struct audited a = audited(c, status, code);

	audit_write(c->api->audit, &a);
	if (c->link)
		c->transport->answer(c->link, status, c->headers, c->n_headers, body, c->head);
	if (body)
		evbuffer_free(body);
	call_free(c);
}

static void finish_json(struct call *c, int status, const char *code, json_t *body)
{
	struct evbuffer *buf = evbuffer_new();
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	if (status == 503 && code && !strcmp(code, "store_unavailable"))
		call_add_header(c, "Retry-After", "5");
	if (!text) {
		status = 500;
		code = "internal";
		text = strdup(
			"{\"error\":{\"code\":\"internal\",\"message\":\"the answer could not be "
			"made; the log says more\"}}");
		log_event(LOG_ERROR, "api.answer_failed", LOGF_STR("path", c->path));
	}
	if (buf && text)
		evbuffer_add(buf, text, strlen(text));
	free(text);
	call_add_header(c, "Content-Type", "application/json");
	finish(c, status, code, buf);
}

void call_json(struct call *c, int status, json_t *body)
{
	finish_json(c, status, NULL, body);
}

void call_empty(struct call *c, int status)
{
	finish(c, status, NULL, NULL);
}

void call_buffer(struct call *c, int status, const char *type, struct evbuffer *body)
{
	call_add_header(c, "Content-Type", "%s", type);
	finish(c, status, NULL, body);
}

void call_tagged(struct call *c, struct evbuffer *body, const char *etag)
{
	call_add_header(c, "ETag", "%s", etag);
	call_add_header(c, "Cache-Control", "private, no-cache");
	if (etag_matches(call_header(c, "If-None-Match"), etag)) {
		evbuffer_free(body);
		call_empty(c, 304);
		return;
	}
	call_buffer(c, 200, "application/json", body);
}

void call_json_tagged(struct call *c, json_t *body, const char *version)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct evbuffer *buf = evbuffer_new();
	struct etag *e = etag_begin();
	char etag[ETAG_SIZE];

	json_decref(body);
	if (!text || !buf || !e || evbuffer_add(buf, text, strlen(text))) {
		etag_drop(e);
		if (buf)
			evbuffer_free(buf);
		call_json(c, 500, NULL);
	} else {
		etag_add(e, text, strlen(text));
		etag_end(e, version, etag);
		call_tagged(c, buf, etag);
	}
	free(text);
}

void call_error(struct call *c, int status, const char *code, const char *fmt, ...)
{
	char message[512];
	va_list ap;

	va_start(ap, fmt);
	utf8_vformat(message, sizeof(message), fmt, ap);
	va_end(ap);
	finish_json(c, status, code,
		    json_pack("{s:{s:s,s:o}}", "error", "code", code, "message",
			      json_text(message)));
}

void call_refuse(struct call *c, const struct fleet_error *err)
{
	json_t *e = json_pack("{s:s,s:o}", "code", err->e.code, "message",
			      json_text(err->e.message));

	if (err->required[0]) {
		json_object_set_new(e, "client_version", json_text(err->client_version));
		json_object_set_new(e, "required", json_string(err->required));
	}
	if (err->rule_id)
		json_object_set_new(e, "rule_id", json_integer((json_int_t)err->rule_id));
	if (err->port)
		json_object_set_new(e, "port", json_integer(err->port));
	finish_json(c, err->e.status, err->e.code, json_pack("{s:o}", "error", e));
}

void call_store_error(struct call *c, int err)
{
	const char *code;
	int status;

	log_event(LOG_ERROR, "store.write_failed", LOGF_STR("path", c->path),
		  LOGF_STR("error", store_message(c->api->store)),
		  LOGF_STR("advice", store_advice(err)));
	status = store_status(err, &code);
	call_error(c, status, code, "%s: %s", code, store_advice(err));
}

void call_stored(struct call *c, int err)
{
	if (err)
		call_store_error(c, err);
	else
		call_empty(c, 204);
}

bool call_has_json(const struct call *c)
{
	const char *type = call_header(c, "Content-Type");
	size_t n = type ? strcspn(type, "; \t") : 0;

	return n == strlen("application/json") && !strncasecmp(type, "application/json", n);
}

json_t *call_body(struct call *c, bool optional)
{
	json_error_t where;
	json_t *body;
	size_t mark;

	if (!c->body_len && optional)
		return json_object();
	if (!call_has_json(c)) {
		call_error(c, 415, "unsupported_media_type",
			   "the body has to be sent as application/json");
		return NULL;
	}
	/* A byte order mark is no part of the JSON behind it (RFC 8259, 8.1). */
	mark = c->body_len >= 3 && !memcmp(c->body, "\xef\xbb\xbf", 3) ? 3 : 0;
	body = json_loadb(c->body ? c->body + mark : "", c->body_len - mark,
			  JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	/* Too large for any of our numbers is still JSON. */
	if (!body && json_error_code(&where) == json_error_numeric_overflow) {
		call_error(c, 422, "invalid_body", "line %d, column %d: %s", where.line,
			   where.column, where.text);
		return NULL;
	}
	if (!body) {
		call_error(c, 400, "invalid_json", "line %d, column %d: %s", where.line,
			   where.column, where.text);
		return NULL;
	}
	if (!json_is_object(body)) {
		json_decref(body);
		call_error(c, 422, "invalid_body", "the body has to be a JSON object");
		return NULL;
	}
	return body;
}

bool call_body_text(struct call *c, json_t *body, const char *key, bool required, const char **out)
{
	json_t *value = json_object_get(body, key);

	*out = NULL;
	if (!value || json_is_null(value)) {
		if (required)
			call_error(c, 422, "invalid_body", "%s: is required", key);
		return !required;
	}
	if (!json_is_string(value)) {
		call_error(c, 422, "invalid_body", "%s: has to be a string", key);
		return false;
	}
	*out = json_string_value(value);
	return true;
}
