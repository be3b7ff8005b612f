// SPDX-License-Identifier: MIT
/* Reading a request and giving its answer, in the one error envelope. */
#include "api/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "api/api_internal.h"
#include "lib/log.h"
#include "server/store.h"

const char *call_header(struct call *c, const char *name)
{
	return c->transport->header(c, name);
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

	if (c->n_headers == CALL_HEADERS_MAX)
		return;
	c->n_headers++;
	h->name = name;
	va_start(ap, fmt);
	vsnprintf(h->value, sizeof(h->value), fmt, ap);
	va_end(ap);
}

static void finish(struct call *c, int status, const char *code, struct evbuffer *body)
{
	api_audit(c, status, code);
	if (c->link)
		c->transport->answer(c, status, body);
	if (body)
		evbuffer_free(body);
	api_call_free(c);
}

static void finish_json(struct call *c, int status, const char *code, json_t *body)
{
	struct evbuffer *buf = evbuffer_new();
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	if (!text) {
		status = 500;
		code = "internal";
		text = strdup("{\"error\":{\"code\":\"internal\",\"message\":\"out of memory\"}}");
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

void call_error(struct call *c, int status, const char *code, const char *fmt, ...)
{
	char message[384];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	finish_json(c, status, code,
		    json_pack("{s:{s:s,s:s}}", "error", "code", code, "message", message));
}

void call_refuse(struct call *c, const struct fleet_error *err)
{
	json_t *e = json_pack("{s:s,s:s}", "code", err->e.code, "message", err->e.message);

	if (err->required[0]) {
		json_object_set_new(e, "client_version", json_string(err->client_version));
		json_object_set_new(e, "required", json_string(err->required));
	}
	finish_json(c, err->e.status, err->e.code, json_pack("{s:o}", "error", e));
}

void call_store_error(struct call *c, int err)
{
	log_event(LOG_ERROR, "store.write_failed", LOGF_STR("path", c->path),
		  LOGF_STR("error", store_message(c->api->store)),
		  LOGF_STR("advice", store_advice(err)));
	call_error(c, 500, "store_error", "store_error");
}

/* "application/json", with or without parameters. */
static bool is_json(const char *type)
{
	size_t n = type ? strcspn(type, "; \t") : 0;

	return n == strlen("application/json") && !strncasecmp(type, "application/json", n);
}

json_t *call_body(struct call *c, bool optional)
{
	json_error_t where;
	json_t *body;

	if (!c->body_len && optional)
		return json_object();
	if (!is_json(call_header(c, "Content-Type"))) {
		call_error(c, 415, "unsupported_media_type",
			   "the body has to be sent as application/json");
		return NULL;
	}
	body = json_loadb(c->body ? c->body : "", c->body_len,
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
