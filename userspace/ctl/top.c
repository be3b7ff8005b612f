// SPDX-License-Identifier: MIT
/* The verb top: a running edge on the terminal, by its local view. */
#include "ctl/top.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ctl/call.h"
#include "lib/base/clock.h"
#include "lib/base/utf8.h"
#include "view/lines.h"
#include "view/model.h"
#include "view/view.h"

#define EVERY_NS  NS_PER_SEC
#define ANSWER_NS (5 * NS_PER_SEC)

/* ---- answers as the view reads them ---- */

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void put(json_t *o, const char *key, json_int_t value)
{
	json_object_set_new(o, key, json_integer(value));
}

static void copy(json_t *to, const char *key, const json_t *from, const char *as)
{
	json_object_set(to, key, json_object_get(from, as));
}

static void put_id(json_t *o, const json_t *rule)
{
	char id[24];

	snprintf(id, sizeof(id), "%" JSON_INTEGER_FORMAT, number(rule, "rule_id"));
	json_object_set_new(o, "id", json_string(id));
}

static json_t *rule_hello(const json_t *rule)
{
	const char *pattern = json_string_value(json_object_get(rule, "sni_pattern"));
	const json_t *rows = json_object_get(rule, "per_target"), *row;
	json_t *o = json_object(), *targets = json_array(), *target;
	char text[300];
	size_t i;

	put_id(o, rule);
	if (pattern)
		utf8_format(text, sizeof(text), "%s", pattern);
	else
		snprintf(text, sizeof(text), "rule %" JSON_INTEGER_FORMAT, number(rule, "rule_id"));
	json_object_set_new(o, "name", json_string(text));
	copy(o, "proto", rule, "protocol");
	snprintf(text, sizeof(text),
		 number(rule, "listen_port_end") ? "%" JSON_INTEGER_FORMAT "-%" JSON_INTEGER_FORMAT
						 : "%" JSON_INTEGER_FORMAT,
		 number(rule, "listen_port"), number(rule, "listen_port_end"));
	json_object_set_new(o, "listen", json_string(text));
	json_array_foreach (rows, i, row) {
		target = json_object();
		copy(target, "host", row, "host");
		copy(target, "port", row, "port");
		copy(target, "priority", row, "priority");
		json_array_append_new(targets, target);
	}
	json_object_set_new(o, "targets", targets);
	return o;
}

json_t *top_hello(const json_t *status, const json_t *stats)
{
	const json_t *list = json_object_get(stats, "rules"), *rule;
	json_t *o = json_object(), *rules = json_array();
	size_t i;

	put(o, "v", 1);
	copy(o, "daemon_version", status, "version");
	copy(o, "label", status, "instance");
	copy(o, "daemon_started_at_ms", status, "started_at_unix_ms");
	json_array_foreach (list, i, rule)
		json_array_append_new(rules, rule_hello(rule));
	json_object_set_new(o, "rules", rules);
	return o;
}

static json_t *row_figures(const json_t *row, json_int_t *failed)
{
	const json_t *kernel = json_object_get(row, "kernel"),
		     *attempts = json_object_get(row, "attempts");
	json_t *o = json_object();
	json_int_t rtt = number(kernel, "srtt_us");

	json_object_set_new(o, "health", json_string(number(row, "health") ? "Failed" : "Healthy"));
	copy(o, "since_ms", row, "health_since_unix_ms");
	copy(o, "in", row, "bytes_in");
	copy(o, "out", row, "bytes_out");
	copy(o, "conns", row, "active_connections");
	copy(o, "last_errno", kernel, "last_errno");
	put(o, "srtt_us", rtt ? rtt : number(row, "usual_connect_us"));
	*failed += number(attempts, "failed") + number(attempts, "timed_out");
	return o;
}

static json_t *rule_figures(const json_t *rule)
{
	static const char *const names[][2] = {
		{"in", "bytes_in"},
		{"out", "bytes_out"},
		{"conns_active", "active_connections"},
		{"conns_total", "connections_accepted"},
		{"datagrams_in", "datagrams_in"},
		{"datagrams_out", "datagrams_out"},
		{"flows_active", "active_flows"},
		{"target_failovers_total", "target_failovers_total"},
		{"state", "state"},
		{"reason", "reason"},
	};
	static const char *const errors[] = {"flows_pending_drops", "send_dropped", "dns_failures",
					     "flows_dropped_overflow"};
	const json_t *rows = json_object_get(rule, "per_target"), *row;
	json_t *o = json_object(), *err = json_object(), *targets = json_array();
	json_int_t failed = 0;
	size_t i;

	put_id(o, rule);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		copy(o, names[i][0], rule, names[i][1]);
	json_array_foreach (rows, i, row)
		json_array_append_new(targets, row_figures(row, &failed));
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		copy(err, errors[i], rule, errors[i]);
	put(err, "upstream_connect_failed", failed);
	copy(err, "icmp_evict", rule, "flows_moved");
	json_object_set_new(o, "err", err);
	json_object_set_new(o, "targets", targets);
	return o;
}

json_t *top_snapshot(const json_t *status, const json_t *stats, uint64_t now_ms)
{
	const json_t *list = json_object_get(stats, "rules"), *rule,
		     *fds = json_object_get(status, "fds");
	json_t *o = json_object(), *rows = json_array(), *process = json_object();
	size_t i;

	put(o, "t_ms", (json_int_t)now_ms);
	put(o, "uptime_ms", number(status, "uptime_secs") * 1000);
	copy(process, "fd_open", fds, "open");
	copy(process, "fd_limit", fds, "limit");
	copy(process, "rss_bytes", status, "rss_bytes");
	json_object_set_new(o, "process", process);
	json_array_foreach (list, i, rule)
		json_array_append_new(rows, rule_figures(rule));
	json_object_set_new(o, "r", rows);
	return o;
}

/* ---- asking ---- */

enum question { ASK_STATUS, ASK_STATS };

/* One question after the other, each on a connection of its own; the answer is waited for by the view. */
struct top {
	const char *path;
	struct lines lines;
	enum question question;
	uint64_t due_ns, asked_ns;
	json_t *status, *hello;
};

static void lose(struct top *t, struct view_model *m, const char *why)
{
	lines_close(&t->lines);
	t->question = ASK_STATUS;
	t->due_ns = clock_mono_ns() + EVERY_NS;
	if (!m)
		return;
	m->connected = false;
	utf8_format(m->trouble, sizeof(m->trouble), "%s", why);
}

static void ask(struct top *t, struct view_model *m)
{
	static const char *const texts[] = {"{\"verb\":\"status\"}\n",
					    "{\"verb\":\"stats\",\"per_target\":true}\n"};
	const char *text = texts[t->question];
	int err = lines_open(&t->lines, t->path);

	t->asked_ns = clock_mono_ns();
	/* A daemon that refuses closes without reading; its answer says why. */
	if (!err && send(t->lines.fd, text, strlen(text), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		err = -errno;
	if (err)
		lose(t, m, strerror(-err));
}

static void show(struct top *t, struct view_model *m, const json_t *stats)
{
	json_t *hello = top_hello(t->status, stats),
	       *snapshot = top_snapshot(t->status, stats, clock_wall_ms());
	bool good = true;

	if (!json_equal(hello, t->hello)) {
		uint64_t t_ms = m->t_ms;

		good = view_take_hello(m, hello);
		m->t_ms = t_ms;
		json_decref(t->hello);
		t->hello = json_incref(hello);
	}
	m->connected = good && view_take_snapshot(m, snapshot);
	json_decref(hello);
	json_decref(snapshot);
}

/* What has come is the answer to the question. */
static void take(struct top *t, struct view_model *m, json_t *answer)
{
	const char *message = NULL;

	lines_close(&t->lines);
	if (!json_unpack(answer, "{s:{s:s}}", "error", "message", &message)) {
		lose(t, m, message);
	} else if (t->question == ASK_STATUS) {
		json_decref(t->status);
		t->status = json_incref(answer);
		t->question = ASK_STATS;
		ask(t, m);
	} else {
		if (m)
			show(t, m, answer);
		t->question = ASK_STATUS;
		t->due_ns += EVERY_NS;
		if (t->due_ns < clock_mono_ns())
			t->due_ns = clock_mono_ns();
	}
	json_decref(answer);
}

static void step(void *arg, struct view_model *m)
{
	struct top *t = arg;
	json_t *answer;
	int rc;

	if (t->lines.fd < 0 && clock_mono_ns() >= t->due_ns)
		ask(t, m);
	if (t->lines.fd < 0)
		return;
	rc = lines_next(&t->lines, &answer);
	if (rc > 0)
		take(t, m, answer);
	else if (rc < 0)
		lose(t, m, rc == -ECONNRESET ? "the edge has ended the connection" : strerror(-rc));
	else if (clock_mono_ns() - t->asked_ns > ANSWER_NS)
		lose(t, m, "the edge does not answer");
}

static int fd_of(void *arg)
{
	const struct top *t = arg;

	return t->lines.fd;
}

int verb_top(const struct verb_call *call)
{
	struct top t = {.path = call->socket, .lines.fd = -1, .due_ns = clock_mono_ns()};
	const struct view_source source = {.step = step, .fd = fd_of, .arg = &t};
	int status = view_run(&source);

	lines_close(&t.lines);
	json_decref(t.status);
	json_decref(t.hello);
	return status;
}
