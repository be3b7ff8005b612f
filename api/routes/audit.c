// SPDX-License-Identifier: MIT
/* /v1/audit */
#include "api/routes/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "api/call/call.h"
#include "api/call/decode_time.h"
#include "api/call/encode.h"
#include "api/call/json.h"
#include "server/access/audit.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000

struct page {
	json_t *entries;
	uint64_t last_seq;
};

static void set_text(json_t *o, const char *key, const char *value)
{
	if (value)
		json_object_set_new(o, key, json_text(value));
}

static void add_row(void *arg, const struct store_audit *a)
{
	struct page *p = arg;
	json_t *o = json_object();

	if (!o)
		return;
	json_object_set_new(o, "timestamp", encode_time(a->at_ms));
	set_text(o, "actor", a->actor);
	set_text(o, "role", a->role);
	set_text(o, "scope", a->scope);
	set_text(o, "method", a->method);
	set_text(o, "path", a->path);
	set_text(o, "outcome", a->outcome);
	set_text(o, "reason", a->reason);
	set_text(o, "action", a->action);
	set_text(o, "resource_kind", a->resource_kind);
	set_text(o, "resource_value", a->resource_value);
	set_text(o, "details", a->details);
	set_text(o, "remote_addr", a->remote_addr);
	json_object_set_new(o, "times", json_integer((json_int_t)a->times));
	json_array_append_new(p->entries, o);
	p->last_seq = a->seq;
}

/* A cursor is the URL-safe base64 of a decimal sequence number. */
static void write_cursor(uint64_t seq, char out[48])
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)seq);

	n = EVP_EncodeBlock((unsigned char *)out, (unsigned char *)text, n);
	while (n > 0 && out[n - 1] == '=')
		out[--n] = '\0';
}

static bool read_cursor(const char *text, uint64_t *seq)
{
	unsigned char padded[32], plain[32];
	size_t n = strlen(text);
	char *end;
	int len;

	if (n == 0 || n > 28 ||
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			 "0123456789") != n)
		return false;
	memcpy(padded, text, n);
	while (n % 4)
		padded[n++] = '=';
	len = EVP_DecodeBlock(plain, padded, (int)n);
	if (len <= 0 || plain[0] < '0' || plain[0] > '9')
		return false;
	plain[len] = '\0';
	*seq = strtoull((char *)plain, &end, 10);
	return *end == '\0' && *seq > 0;
}

/* A call that waits until the rows that are queued have been written. */
struct asked {
	struct call *c;
	char *limit, *outcome, *since, *until, *cursor;
	struct store_audit_query q;
};

static bool read_query(struct call *c, struct asked *a)
{
	struct store_audit_query *q = &a->q;

	q->limit = LIMIT_DEFAULT;
	if (a->limit) {
		char *end;
		unsigned long n = strtoul(a->limit, &end, 10);

		if (*a->limit < '0' || *a->limit > '9' || *end || n < 1 || n > LIMIT_MAX) {
			call_error(c, 422, "invalid_limit", "invalid_limit: 1 to %d", LIMIT_MAX);
			return false;
		}
		q->limit = (unsigned)n;
	}
	if (a->outcome && strcmp(a->outcome, "allow") && strcmp(a->outcome, "deny")) {
		call_error(c, 422, "invalid_outcome", "invalid_outcome: allow or deny");
		return false;
	}
	q->outcome = a->outcome;
	if ((a->since && !decode_time(a->since, &q->since_ms)) ||
	    (a->until && !decode_time(a->until, &q->until_ms))) {
		call_error(c, 400, "invalid_timestamp",
			   "invalid_timestamp: since and until are RFC 3339 times");
		return false;
	}
	if (a->since && a->until && q->since_ms > q->until_ms) {
		call_error(c, 400, "invalid_time_range",
			   "invalid_time_range: since is after until");
		return false;
	}
	if (a->cursor && !read_cursor(a->cursor, &q->before_seq)) {
		call_error(c, 400, "invalid_cursor",
			   "invalid_cursor: use next_cursor of the page before");
		return false;
	}
	return true;
}

static void answer(struct call *c, const struct store_audit_query *q, bool paged)
{
	struct page p = {.entries = json_array()};
	unsigned limit = q->limit;
	json_t *o;
	char cursor[48];
	int err = p.entries ? store_audit_list(c->api->store, q, add_row, &p) : 0;

	if (err) {
		json_decref(p.entries);
		call_store_error(c, err);
		return;
	}
	if (!paged) {
		call_json(c, 200, p.entries);
		return;
	}
	o = json_pack("{s:I,s:o}", "count", (json_int_t)json_array_size(p.entries), "entries",
		      p.entries);
	if (o && json_array_size(p.entries) == limit) {
		write_cursor(p.last_seq, cursor);
		json_object_set_new(o, "next_cursor", json_string(cursor));
	}
	call_json(c, 200, o);
}

static void asked_free(struct asked *a)
{
	free(a->limit);
	free(a->outcome);
	free(a->since);
	free(a->until);
	free(a->cursor);
	free(a);
}

/* Rows that could not be written are missing in the answer. */
static void written(void *arg, int err)
{
	struct asked *a = arg;

	answer(a->c, &a->q, a->since || a->until || a->cursor);
	asked_free(a);
}

void audit_get(struct call *c)
{
	struct asked *a = calloc(1, sizeof(*a));

	if (!a) {
		call_json(c, 500, NULL);
		return;
	}
	*a = (struct asked){
		.c = c,
		.limit = call_query(c, "limit"),
		.outcome = call_query(c, "outcome"),
		.since = call_query(c, "since"),
		.until = call_query(c, "until"),
		.cursor = call_query(c, "cursor"),
	};
	if (!read_query(c, a))
		asked_free(a);
	else if (!audit_flush(c->api->audit, written, a))
		written(a, 0);
}
