// SPDX-License-Identifier: MIT
/*
 * The local view's answers. Long ones are made piece by piece as the client takes them, so neither
 * memory nor the loop suffers from 10,000 rules.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "edge/apply.h"
#include "edge/report.h"
#include "edge/status_internal.h"
#include "edge/worker.h"
#include "lib/clock.h"

#define PIECE_RULES 64 /* rules read in one turn of the loop */

static int to_buffer(const char *text, size_t size, void *arg)
{
	return evbuffer_add(arg, text, size);
}

static struct evbuffer *output(struct client *c)
{
	return bufferevent_get_output(c->bev);
}

/* Takes @json over. Without memory the answer is cut, which the client can tell. */
static int write_json(struct client *c, json_t *json)
{
	int rc = json ? json_dump_callback(json, to_buffer, output(c), JSON_COMPACT) : -1;

	json_decref(json);
	return rc;
}

static void write_element(struct client *c, json_t *json)
{
	if (c->comma)
		evbuffer_add(output(c), ",", 1);
	c->comma = true;
	write_json(c, json);
}

/* The answer is complete; the client is freed when all is sent. */
static void finish(struct client *c, const char *tail)
{
	c->more = NULL;
	evbuffer_add(output(c), tail, strlen(tail));
}

static void answer(struct client *c, json_t *json)
{
	if (write_json(c, json) < 0)
		client_free(c);
	else
		finish(c, "\n");
}

void client_answer_error(struct client *c, const char *code, const char *message)
{
	answer(c, status_error_json(code, message));
}

/* ---- stats ---- */

static void rules_piece(struct client *c)
{
	struct status *s = c->status;
	struct rule_report report;

	for (unsigned n = 0; c->at < c->n && n < PIECE_RULES; c->at++) {
		struct rule_state *rs = edge_find(s->config.edge, c->ids[c->at]);

		if (!rs) /* removed since the answer began */
			continue;
		report_rule(s->config.account, rs, &report);
		write_element(c, status_rule_json(&report, account_mode(s->config.account),
						  c->per_target));
		n++;
	}
	if (c->at == c->n)
		finish(c, "]}\n");
}

static void on_refreshed(struct refresh *r)
{
	struct client *c = (struct client *)((char *)r - offsetof(struct client, refresh));
	struct account *a = c->status->config.account;
	json_t *head;
	char *text;

	c->away = false;
	if (c->gone) {
		client_free(c);
		return;
	}
	head = json_pack("{s:s, s:s, s:s}", "accounting",
			 account_mode(a) == ACCOUNT_BPF ? "bpf" : "user", "accounting_reason",
			 account_reason(a), "refresh_error", r->result ? strerror(-r->result) : "");
	text = head ? json_dumps(head, JSON_COMPACT) : NULL;
	json_decref(head);
	if (!text) {
		client_free(c);
		return;
	}
	/* Without its closing brace: the rules follow. */
	evbuffer_add_printf(output(c), "%.*s,\"rules\":[", (int)strlen(text) - 1, text);
	free(text);
	c->more = rules_piece;
	rules_piece(c);
}

static void add_id(struct rule_state *rs, void *arg)
{
	struct client *c = arg;

	c->ids[c->n++] = rs->id;
}

static void start_stats(struct client *c, json_t *request)
{
	json_t *id = json_object_get(request, "rule_id");
	struct edge *e = c->status->config.edge;

	if (id && (!json_is_integer(id) || json_integer_value(id) < 0)) {
		client_answer_error(c, "invalid_request", "rule_id is a number");
		return;
	}
	if (id && !edge_find(e, (uint64_t)json_integer_value(id))) {
		client_answer_error(c, "rule_not_found", "there is no such rule");
		return;
	}
	c->per_target = json_is_true(json_object_get(request, "per_target"));
	c->ids = calloc(id ? 1 : edge_rules(e) + 1, sizeof(*c->ids));
	if (!c->ids) {
		client_free(c);
		return;
	}
	if (id)
		c->ids[c->n++] = (uint64_t)json_integer_value(id);
	else
		edge_each(e, add_id, c);
	c->away = true;
	c->refresh.done = on_refreshed;
	refresher_ask(c->status->refresher, &c->refresh);
}

/* ---- connections ---- */

static void fetch(struct client *c)
{
	if (c->away)
		return;
	c->away = true;
	c->status->fetching++;
	conn_chunk_fetch(c->chunk);
}

/*
 * Whether this connection is in the answer already: those that were accepted since the last chunk
 * push others back into the next one.
 */
static bool seen_before(struct client *c, int fd)
{
	size_t at = (size_t)fd / 8;
	uint8_t bit = (uint8_t)(1u << (fd % 8));

	if (at >= c->seen_bytes) {
		size_t size = (at + 1) * 2;
		uint8_t *more = realloc(c->seen, size);

		if (!more)
			return false;
		memset(more + c->seen_bytes, 0, size - c->seen_bytes);
		c->seen = more;
		c->seen_bytes = size;
	}
	if (c->seen[at] & bit)
		return true;
	c->seen[at] |= bit;
	return false;
}

static void on_chunk(struct conn_chunk *chunk)
{
	struct client *c = chunk->client;
	struct status *s = c->status;
	bool wrote = false;

	s->fetching--;
	c->away = false;
	for (unsigned i = 0; !c->gone && i < chunk->n; i++) {
		if (seen_before(c, chunk->row[i].client_fd))
			continue;
		write_element(c, status_conn_json(&chunk->row[i]));
		wrote = true;
	}
	conn_chunk_clear(chunk);
	if (c->gone || s->stopping) {
		client_free(c);
		return;
	}
	if (!chunk->more) {
		if (++c->worker == s->config.n_workers) {
			finish(c, "]}\n");
			return;
		}
		chunk->worker = &s->config.workers[c->worker];
		chunk->cursor = 0;
	}
	/* What was written is sent first, and then asks for more. */
	if (!wrote)
		fetch(c);
}

static void start_connections(struct client *c, json_t *request)
{
	c->chunk = calloc(1, sizeof(*c->chunk));
	if (!c->chunk) {
		client_free(c);
		return;
	}
	c->chunk->client = c;
	c->chunk->home = &c->status->mailbox;
	c->chunk->worker = &c->status->config.workers[0];
	c->chunk->arrived = on_chunk;
	evbuffer_add_printf(output(c), "{\"connections\":[");
	c->more = fetch;
	fetch(c);
}

/* ---- status, drain, undrain ---- */

static void start_status(struct client *c, json_t *request)
{
	struct status *s = c->status;

	answer(c, status_self_json(&s->config, (clock_mono_ns() - s->started_ns) / NS_PER_SEC));
}

static void set_drained(struct client *c, json_t *request, bool drained)
{
	json_t *id = json_object_get(request, "rule_id"), *row = json_object_get(request, "index");
	bool kill = drained && json_is_true(json_object_get(request, "kill"));
	struct edge *e = c->status->config.edge;
	struct rule_state *rs;
	struct target *t;
	unsigned active;
	int err;

	if (!json_is_integer(id) || !json_is_integer(row) || json_integer_value(id) < 0 ||
	    json_integer_value(row) < 0) {
		client_answer_error(c, "invalid_request", "rule_id and index are numbers");
		return;
	}
	rs = edge_find(e, (uint64_t)json_integer_value(id));
	if (!rs) {
		client_answer_error(c, "rule_not_found", "there is no such rule");
		return;
	}
	if (json_integer_value(row) >= rs->service->n) {
		client_answer_error(c, "target_not_found",
				    "the rule has no target with this index");
		return;
	}
	t = rs->service->target[json_integer_value(row)];
	active = atomic_load(&t->active); /* before any of them is ended */
	err = edge_drain_target(e, rs->id, (unsigned)json_integer_value(row), drained, kill);
	if (err) {
		client_answer_error(c, "drain_failed", strerror(-err));
		return;
	}
	answer(c, json_pack("{s:I, s:I, s:s, s:i, s:b, s:b, s:I}", "rule_id",
			    json_integer_value(id), "index", json_integer_value(row), "host",
			    t->host, "port", (int)t->port, "drained", drained, "killed", kill,
			    "active_connections", (json_int_t)active));
}

static void start_drain(struct client *c, json_t *request)
{
	set_drained(c, request, true);
}

static void start_undrain(struct client *c, json_t *request)
{
	set_drained(c, request, false);
}

/* ---- requests ---- */

static const struct {
	const char *verb;
	void (*start)(struct client *c, json_t *request);
} verbs[] = {
	{"stats", start_stats}, {"connections", start_connections}, {"status", start_status},
	{"drain", start_drain}, {"undrain", start_undrain},
};

void client_handle(struct client *c, const char *line, size_t len)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *verb = json_string_value(json_object_get(request, "verb"));
	size_t i = 0, n = sizeof(verbs) / sizeof(verbs[0]);

	while (verb && i < n && strcmp(verb, verbs[i].verb))
		i++;
	if (!verb)
		client_answer_error(c, "invalid_request",
				    "the request is a line of JSON with a \"verb\"");
	else if (i == n)
		client_answer_error(c, "unknown_verb", "this portunus-client has no such verb");
	else
		verbs[i].start(c, request);
	json_decref(request);
}
