// SPDX-License-Identifier: MIT
/* The answers of the local view, made piece by piece as the client takes them: neither memory nor the loop suffers from 10,000 rules. */
#include "edge/status/answer.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "edge/rules/apply.h"
#include "edge/rules/sni.h"
#include "edge/rules/table.h"
#include "edge/status/client.h"
#include "edge/status/config.h"
#include "edge/status/conns.h"
#include "edge/watch/flows.h"
#include "edge/status/json.h"
#include "edge/status/metrics.h"
#include "edge/watch/refresh.h"
#include "edge/watch/report.h"
#include "edge/worker/worker.h"
#include "lib/base/container_of.h"

#define PIECE_RULES 64 /* rules read in one turn of the loop */

struct answers {
	const struct status_config *config;
	struct mailbox mailbox; /* from the workers */
	struct event *mail;
	unsigned fetching; /* chunks that are with a worker */
	bool stopping;
};

/* What one client is being told. Freed with it. */
struct answer {
	struct answers *answers;
	struct client *client;
	bool comma; /* something came before in the array */

	struct refresh refresh; /* stats */
	bool per_target, per_port;
	uint64_t *ids;
	size_t n, at;

	struct metrics_rule *figures; /* metrics */
	size_t n_figures;
	unsigned family;

	struct conn_chunk *chunk; /* connections */
	struct flow_rows *flows;
	unsigned worker;
};

static void forget(void *arg)
{
	struct answer *a = arg;

	free(a->ids);
	free(a->figures);
	conn_chunk_free(a->chunk);
	if (a->flows)
		flow_rows_clear(a->flows);
	free(a->flows);
	free(a);
}

static int to_buffer(const char *text, size_t size, void *arg)
{
	return evbuffer_add(arg, text, size);
}

/* Takes @json over. Without memory the answer is cut, which the client can tell. */
static int write_json(struct client *c, json_t *json)
{
	int rc = json ? json_dump_callback(json, to_buffer, client_output(c), JSON_COMPACT) : -1;

	json_decref(json);
	return rc;
}

static void write_element(struct answer *a, json_t *json)
{
	if (a->comma)
		evbuffer_add(client_output(a->client), ",", 1);
	a->comma = true;
	write_json(a->client, json);
}

static void answer_whole(struct client *c, json_t *json)
{
	if (write_json(c, json) < 0)
		client_free(c);
	else
		client_finish(c, "\n");
}

static void answer_error(struct client *c, const char *code, const char *message)
{
	answer_whole(c, status_error_json(code, message));
}

/* ---- stats ---- */

static void add_sni_port(const struct sni_group_view *v, void *arg)
{
	write_element(arg, status_sni_json(v));
}

/* What follows the rules: the ports that route by server name. */
static void finish_stats(struct client *c)
{
	struct answer *a = c->answer;

	evbuffer_add_printf(client_output(c), "],\"sni_listeners\":[");
	a->comma = false;
	sni_each(a->answers->config->table, add_sni_port, a);
	client_finish(c, "]}\n");
}

static void write_rule(struct answer *a, const struct rule_state *rs,
		       const struct rule_report *report)
{
	json_t *rule = status_rule_json(report, a->per_target);
	json_t *ports = a->per_port ? status_ports_json(rs) : NULL;

	if (ports)
		json_object_set_new(rule, "per_port", ports);
	write_element(a, rule);
}

static void rules_piece(struct client *c)
{
	struct answer *a = c->answer;
	const struct status_config *config = a->answers->config;
	struct rule_report report;

	for (unsigned n = 0; a->at < a->n && n < PIECE_RULES; a->at++) {
		struct rule_state *rs = rule_table_find(config->table, a->ids[a->at]);

		if (!rs) /* removed since the answer began */
			continue;
		report_rule(config->account, rs, &report);
		write_rule(a, rs, &report);
		n++;
	}
	if (a->at == a->n)
		finish_stats(c);
}

static void on_refreshed(struct refresh *r)
{
	struct answer *a = container_of(r, struct answer, refresh);
	struct account *account = a->answers->config->account;
	struct client *c = a->client;
	json_t *head;
	char *text;

	c->away = false;
	if (c->gone) {
		client_free(c);
		return;
	}
	head = json_pack("{s:s, s:s, s:s}", "accounting", account_mode_text(account),
			 "accounting_reason", account_reason(account), "refresh_error",
			 r->result ? strerror(-r->result) : "");
	text = head ? json_dumps(head, JSON_COMPACT) : NULL;
	json_decref(head);
	if (!text) {
		client_free(c);
		return;
	}
	/* Without its closing brace: the rules follow. */
	evbuffer_add_printf(client_output(c), "%.*s,\"rules\":[", (int)strlen(text) - 1, text);
	free(text);
	c->more = rules_piece;
	rules_piece(c);
}

static void add_id(struct rule_state *rs, void *arg)
{
	struct answer *a = arg;

	a->ids[a->n++] = rs->id;
}

/* Whether @id, NULL for all rules, names a rule; the client is told if not. */
static bool rule_or_none(struct client *c, const json_t *id)
{
	const struct answer *a = c->answer;

	if (id && (!json_is_integer(id) || json_integer_value(id) < 0)) {
		answer_error(c, "invalid_request", "rule_id is a number");
		return false;
	}
	if (id && !rule_table_find(a->answers->config->table, (uint64_t)json_integer_value(id))) {
		answer_error(c, "rule_not_found", "there is no such rule");
		return false;
	}
	return true;
}

static void start_stats(struct client *c, json_t *request)
{
	json_t *id = json_object_get(request, "rule_id");
	struct answer *a = c->answer;
	struct rule_table *t = a->answers->config->table;

	if (!rule_or_none(c, id))
		return;
	a->per_target = json_is_true(json_object_get(request, "per_target"));
	a->per_port = json_is_true(json_object_get(request, "per_port"));
	a->ids = calloc(id ? 1 : rule_table_size(t) + 1, sizeof(*a->ids));
	if (!a->ids) {
		client_free(c);
		return;
	}
	if (id)
		a->ids[a->n++] = (uint64_t)json_integer_value(id);
	else
		rule_table_each(t, add_id, a);
	c->away = true;
	a->refresh.done = on_refreshed;
	refresher_ask(a->answers->config->refresher, &a->refresh);
}

/* ---- metrics ---- */

/* First the figures of all rules, some in each turn; then a family of them in each. */
static void metrics_piece(struct client *c)
{
	struct answer *a = c->answer;
	const struct status_config *config = a->answers->config;
	struct rule_report report;

	for (unsigned n = 0; a->at < a->n && n < PIECE_RULES; a->at++, n++) {
		struct rule_state *rs = rule_table_find(config->table, a->ids[a->at]);

		if (!rs)
			continue;
		report_rule(config->account, rs, &report);
		a->figures[a->n_figures++] = metrics_of(&report);
	}
	if (a->at < a->n) {
		client_again(c);
		return;
	}
	if (!a->family) {
		metrics_process(client_output(c), config);
		metrics_sni(client_output(c), config);
	}
	if (!metrics_family(client_output(c), a->family++, a->figures, a->n_figures))
		client_finish(c, "# EOF\n");
}

static void on_metrics_refreshed(struct refresh *r)
{
	struct answer *a = container_of(r, struct answer, refresh);
	struct client *c = a->client;

	c->away = false;
	if (c->gone) {
		client_free(c);
		return;
	}
	c->more = metrics_piece;
	metrics_piece(c);
}

static void start_metrics(struct client *c, json_t *request)
{
	struct answer *a = c->answer;
	size_t n = rule_table_size(a->answers->config->table);

	a->ids = calloc(n + 1, sizeof(*a->ids));
	a->figures = calloc(n + 1, sizeof(*a->figures));
	if (!a->ids || !a->figures) {
		client_free(c);
		return;
	}
	rule_table_each(a->answers->config->table, add_id, a);
	c->away = true;
	a->refresh.done = on_metrics_refreshed;
	refresher_ask(a->answers->config->refresher, &a->refresh);
}

/* ---- connections ---- */

static void fetch(struct client *c)
{
	struct answer *a = c->answer;

	if (c->away)
		return;
	c->away = true;
	a->answers->fetching++;
	conn_chunk_fetch(a->chunk);
}

static void on_chunk(struct conn_chunk *chunk)
{
	struct answer *a = chunk->arg;
	struct answers *all = a->answers;
	struct client *c = a->client;
	bool wrote = false;

	all->fetching--;
	c->away = false;
	for (unsigned i = 0; !c->gone && i < chunk->n; i++) {
		write_element(a, status_conn_json(&chunk->row[i]));
		wrote = true;
	}
	conn_chunk_clear(chunk);
	if (c->gone || all->stopping) {
		client_free(c);
		return;
	}
	if (!chunk->more) {
		if (++a->worker == all->config->n_workers) {
			client_finish(c, "]}\n");
			return;
		}
		chunk->worker = &all->config->workers[a->worker];
	}
	/* What was written is sent first, and then asks for more. */
	if (!wrote)
		fetch(c);
}

static void start_connections(struct client *c, json_t *request)
{
	struct answer *a = c->answer;

	a->chunk = calloc(1, sizeof(*a->chunk));
	if (!a->chunk) {
		client_free(c);
		return;
	}
	a->chunk->arg = a;
	a->chunk->home = &a->answers->mailbox;
	a->chunk->worker = &a->answers->config->workers[0];
	a->chunk->arrived = on_chunk;
	evbuffer_add_printf(client_output(c), "{\"connections\":[");
	c->more = fetch;
	fetch(c);
}

/* ---- flows ---- */

static void flows_piece(struct client *c)
{
	struct answer *a = c->answer;

	for (unsigned n = 0; a->at < a->flows->n && n < PIECE_RULES; n++)
		write_element(a, status_flow_json(&a->flows->row[a->at++]));
	if (a->at == a->flows->n) {
		flow_rows_clear(a->flows);
		client_finish(c, a->flows->more ? "],\"more\":true}\n" : "],\"more\":false}\n");
	}
}

static void on_flows(struct flow_rows *rows)
{
	struct answer *a = rows->arg;
	struct answers *all = a->answers;
	struct client *c = a->client;

	all->fetching--;
	c->away = false;
	if (c->gone || all->stopping) {
		flow_rows_clear(rows);
		client_free(c);
		return;
	}
	if (++a->worker < all->config->n_workers && !rows->more) {
		rows->worker = &all->config->workers[a->worker];
		c->away = true;
		all->fetching++;
		flow_rows_fetch(rows);
		return;
	}
	c->more = flows_piece;
	flows_piece(c);
}

static void start_flows(struct client *c, json_t *request)
{
	json_t *id = json_object_get(request, "rule_id");
	struct answer *a = c->answer;

	if (!rule_or_none(c, id))
		return;
	a->flows = calloc(1, sizeof(*a->flows));
	if (!a->flows) {
		client_free(c);
		return;
	}
	a->flows->arg = a;
	a->flows->home = &a->answers->mailbox;
	a->flows->worker = &a->answers->config->workers[0];
	a->flows->arrived = on_flows;
	a->flows->rule_id = id ? (uint64_t)json_integer_value(id) : 0;
	evbuffer_add_printf(client_output(c), "{\"flows\":[");
	c->away = true;
	a->answers->fetching++;
	flow_rows_fetch(a->flows);
}

/* ---- status, drain, undrain ---- */

static void start_status(struct client *c, json_t *request)
{
	struct answer *a = c->answer;

	answer_whole(c, status_self_json(a->answers->config));
}

static void set_drained(struct client *c, json_t *request, bool drained)
{
	json_t *id = json_object_get(request, "rule_id"), *row = json_object_get(request, "index");
	bool kill = drained && json_is_true(json_object_get(request, "kill"));
	struct rule_table *table = ((struct answer *)c->answer)->answers->config->table;
	struct rule_state *rs;
	struct target *t;
	unsigned active;
	int err;

	if (!json_is_integer(id) || !json_is_integer(row) || json_integer_value(id) < 0 ||
	    json_integer_value(row) < 0) {
		answer_error(c, "invalid_request", "rule_id and index are numbers");
		return;
	}
	rs = rule_table_find(table, (uint64_t)json_integer_value(id));
	if (!rs) {
		answer_error(c, "rule_not_found", "there is no such rule");
		return;
	}
	if (json_integer_value(row) >= rs->service->n) {
		answer_error(c, "target_not_found", "the rule has no target with this index");
		return;
	}
	t = rs->service->target[json_integer_value(row)];
	active = (unsigned)target_sum(t).active; /* before any of them is ended */
	err = rule_table_drain_target(table, rs->id, (unsigned)json_integer_value(row), drained,
				      kill);
	if (err) {
		answer_error(c, "drain_failed", strerror(-err));
		return;
	}
	answer_whole(c, json_pack("{s:I, s:I, s:s, s:i, s:b, s:b, s:I}", "rule_id",
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

static void start_failback(struct client *c, json_t *request)
{
	const struct status_config *config = ((struct answer *)c->answer)->answers->config;
	json_t *id = json_object_get(request, "rule_id");
	struct rule_report report;
	struct rule_state *rs;

	if (!json_is_integer(id) || !rule_or_none(c, id)) {
		if (!json_is_integer(id))
			answer_error(c, "invalid_request", "rule_id is a number");
		return;
	}
	rs = rule_table_find(config->table, (uint64_t)json_integer_value(id));
	rule_table_fail_back(config->table, rs->id);
	report_rule(config->account, rs, &report);
	answer_whole(c, status_rule_json(&report, false));
}

/* ---- requests ---- */

static const struct {
	const char *verb;
	void (*start)(struct client *c, json_t *request);
} verbs[] = {
	{"stats", start_stats},	    {"connections", start_connections},
	{"status", start_status},   {"flows", start_flows},
	{"drain", start_drain},	    {"undrain", start_undrain},
	{"metrics", start_metrics}, {"failback", start_failback},
};

void answer_handle(struct client *c, const char *line, size_t len)
{
	json_t *request = line ? json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const char *verb = json_string_value(json_object_get(request, "verb"));
	struct answer *a = calloc(1, sizeof(*a));
	size_t i = 0, n = sizeof(verbs) / sizeof(verbs[0]);

	if (!a) {
		client_free(c);
		json_decref(request);
		return;
	}
	a->answers = c->list->arg;
	a->client = c;
	c->answer = a;
	c->forget = forget;
	while (verb && i < n && strcmp(verb, verbs[i].verb))
		i++;
	if (!line)
		answer_error(c, "invalid_request", "the request is longer than 4 KiB");
	else if (!verb)
		answer_error(c, "invalid_request", "the request is a line of JSON with a \"verb\"");
	else if (i == n)
		answer_error(c, "unknown_verb", "this portunus-client has no such verb");
	else
		verbs[i].start(c, request);
	json_decref(request);
}

/* ---- life ---- */

struct answers *answers_new(const struct status_config *config)
{
	struct answers *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return NULL;
	a->config = config;
	err = -mailbox_init(&a->mailbox);
	if (err)
		goto err_free;
	a->mail = mailbox_watch(&a->mailbox, config->base);
	if (a->mail)
		return a;
	err = ENOMEM;
	mailbox_close(&a->mailbox);
err_free:
	free(a);
	errno = err;
	return NULL;
}

void answers_free(struct answers *a)
{
	a->stopping = true;
	refresher_settle(a->config->refresher);
	mailbox_run(&a->mailbox);
	/* The workers may have been stopped already if nothing is with them. */
	if (a->fetching)
		workers_barrier(a->config->workers, a->config->n_workers);
	event_free(a->mail);
	mailbox_close(&a->mailbox);
	free(a);
}
