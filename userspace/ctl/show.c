// SPDX-License-Identifier: MIT
/* The daemon's answers as people read them: rules, their targets, connections, the edge itself. */
#include "ctl/show.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <uniwidth.h>

#include "lib/base/text.h"
#include "lib/base/table.h"
#include "lib/base/utf8.h"

/* What is missing reads as 0, "" or NULL: an older daemon knows less. */
static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static const json_t *rule_before(const struct show *how, size_t at, uint64_t id)
{
	const json_t *rules = how->before ? json_object_get(how->before, "rules") : NULL;
	const json_t *r = json_array_get(rules, at);

	/* Rules come by id: mostly the same place. */
	if (r && number(r, "rule_id") == id)
		return r;
	json_array_foreach ((json_t *)rules, at, r)
		if (number(r, "rule_id") == id)
			return r;
	return NULL;
}

/* Connections that a name, or the lack of one, has led to a rule. */
static uint64_t routed_to(const json_t *rules, uint64_t id)
{
	const json_t *r;
	size_t i;

	json_array_foreach ((json_t *)rules, i, r)
		if (number(r, "rule_id") == id)
			return number(r, "sni_route_exact_total") +
			       number(r, "sni_route_wildcard_total") +
			       number(r, "sni_route_fallback_total");
	return 0;
}

static void rate_cell(struct table *t, const json_t *now, const json_t *before, const char *key,
		      const struct show *how)
{
	uint64_t a = before ? number(before, key) : 0, b = number(now, key);
	char buf[TEXT_SIZE];

	if (before && b >= a && how->elapsed_ms)
		table_cell(t, "%s/s", text_bytes((b - a) * 1000 / how->elapsed_ms, buf));
	else
		table_cell(t, "-");
}

/* ---- stats ---- */

static void rule_cells(struct table *t, const json_t *r, size_t at, const struct show *how)
{
	uint64_t n = number(r, "targets");
	const json_t *current = json_object_get(r, "current");
	const char *address = text(r, "listen_address"), *reason = text(r, "reason");
	char in[TEXT_SIZE], out[TEXT_SIZE];

	table_cell(t, "%" PRIu64, number(r, "rule_id"));
	table_cell(t, strchr(address, ':') && *address != '[' ? "[%s]:%" PRIu64 : "%s:%" PRIu64,
		   *address ? address : "*", number(r, "listen_port"));
	table_cell(t, "%s%s%s%s", text(r, "state"), *reason ? ": " : "", reason,
		   json_is_true(json_object_get(r, "unconfirmed")) ? " (unconfirmed)" : "");
	if (n > 1)
		table_cell(t, "%" PRIu64 "/%" PRIu64, number(r, "targets_healthy"), n);
	else
		table_cell(t, "-");
	if (json_is_object(current) && number(r, "targets_taking_new") > 1)
		table_cell(t, "%s:%" PRIu64 " (+%" PRIu64 ")", text(current, "host"),
			   number(current, "port"), number(r, "targets_taking_new") - 1);
	else if (json_is_object(current))
		table_cell(t, "%s:%" PRIu64, text(current, "host"), number(current, "port"));
	else
		table_cell(t, "(all drained)");
	table_cell(t, "%s", text_bytes(number(r, "bytes_in"), in));
	table_cell(t, "%s", text_bytes(number(r, "bytes_out"), out));
	if (how->before) {
		const json_t *before = rule_before(how, at, number(r, "rule_id"));

		rate_cell(t, r, before, "bytes_in", how);
		rate_cell(t, r, before, "bytes_out", how);
	}
	table_cell(t, "%" PRIu64, number(r, "active_connections"));
	table_cell(t, "%" PRIu64, number(r, "connections_accepted"));
	table_cell(t, "%" PRIu64, number(r, "target_failovers_total"));
}

static void show_rules(FILE *out, const json_t *rules, const struct show *how)
{
	static const struct column plain[] = {
		{"RULE", true},	    {"LISTEN"},		 {"STATE"},	{"HEALTHY", true},
		{"GOES TO"},	    {"IN", true},	 {"OUT", true}, {"ACTIVE", true},
		{"ACCEPTED", true}, {"FAILOVERS", true},
	};
	static const struct column with_rates[] = {
		{"RULE", true},	 {"LISTEN"},	   {"STATE"},	       {"HEALTHY", true},
		{"GOES TO"},	 {"IN", true},	   {"OUT", true},      {"IN/s", true},
		{"OUT/s", true}, {"ACTIVE", true}, {"ACCEPTED", true}, {"FAILOVERS", true},
	};
	struct table t = {.columns = plain, .n_columns = sizeof(plain) / sizeof(plain[0])};
	size_t i;
	json_t *r;

	if (how->before) {
		t.columns = with_rates;
		t.n_columns = sizeof(with_rates) / sizeof(with_rates[0]);
	}
	json_array_foreach ((json_t *)rules, i, r)
		rule_cells(&t, r, i, how);
	table_print(&t, out);
}

static void target_cells(struct table *t, const json_t *r, const json_t *row,
			 const struct show *how)
{
	const json_t *current = json_object_get(r, "current");
	bool monitored = number(r, "targets") > 1, failed = number(row, "health");
	bool drained = json_is_true(json_object_get(row, "drained"));
	uint64_t connect_us = number(json_object_get(row, "kernel"), "connect_us");
	char a[TEXT_SIZE], b[TEXT_SIZE], c[TEXT_SIZE];

	/* The kernel sees the SYN and its answer; we see when we were woken. */
	if (!connect_us)
		connect_us = number(row, "usual_connect_us");
	table_cell(t, "%s",
		   json_is_true(json_object_get(row, "takes_new")) ||
				   (json_is_object(current) &&
				    number(current, "index") == number(row, "index"))
			   ? ">"
			   : "");
	table_cell(t, "%" PRIu64, number(r, "rule_id"));
	table_cell(t, "%" PRIu64, number(row, "index"));
	table_cell(t, "%s:%" PRIu64, text(row, "host"), number(row, "port"));
	table_cell(t, number(row, "weight") > 1 ? "%" PRIu64 "*%" PRIu64 : "%" PRIu64,
		   number(row, "priority"), number(row, "weight"));
	table_cell(t, "%s", drained ? "drained" : !monitored ? "-" : failed ? "Failed" : "Healthy");
	table_cell(t, "%s",
		   monitored ? text_since(number(row, "health_since_unix_ms"), how->now_ms, a)
			     : "-");
	table_cell(t, "%" PRIu64, number(row, "consecutive_failures"));
	table_cell(t, "%s", text_bytes(number(row, "bytes_in"), a));
	table_cell(t, "%s", text_bytes(number(row, "bytes_out"), b));
	table_cell(t, "%" PRIu64, number(row, "active_connections"));
	table_cell(t, "%" PRIu64, number(row, "connections_accepted"));
	table_cell(t, "%s", text_us(connect_us, c));
	table_cell(t, "%s", text_since(number(row, "last_success_at_unix_ms"), how->now_ms, a));
	table_cell(t, "%s", text_since(number(row, "last_failure_at_unix_ms"), how->now_ms, b));
	table_cell(t, "%s", text_until(number(row, "next_check_unix_ms"), how->now_ms, c));
	table_cell(t, "%s", text(row, "last_error"));
}

static void show_targets(FILE *out, const json_t *rules, const struct show *how)
{
	static const struct column columns[] = {
		{""},
		{"RULE", true},
		{"IDX", true},
		{"TARGET"},
		{"PRIO", true},
		{"HEALTH"},
		{"SINCE"},
		{"FAILS", true},
		{"IN", true},
		{"OUT", true},
		{"ACTIVE", true},
		{"CONNS", true},
		{"CONNECT", true},
		{"LAST OK"},
		{"LAST FAIL"},
		{"NEXT CHECK"},
		{"LAST ERROR"},
	};
	struct table t = {.columns = columns, .n_columns = sizeof(columns) / sizeof(columns[0])};
	json_t *r, *row;
	size_t i, k;

	json_array_foreach ((json_t *)rules, i, r)
		json_array_foreach (json_object_get(r, "per_target"), k, row)
			target_cells(&t, r, row, how);
	table_print(&t, out);
	fputs("> takes new connections\n", out);
}

/* Of rules with a range: what came by each of their ports. */
static void show_ports(FILE *out, const json_t *rules)
{
	static const struct column columns[] = {
		{"RULE", true},		 {"PORT", true},   {"IN", true},
		{"OUT", true},		 {"ACTIVE", true}, {"DATAGRAMS IN", true},
		{"DATAGRAMS OUT", true},
	};
	struct table t = {.columns = columns, .n_columns = sizeof(columns) / sizeof(columns[0])};
	char a[TEXT_SIZE];
	json_t *r, *row;
	size_t i, k;

	json_array_foreach ((json_t *)rules, i, r) {
		json_array_foreach (json_object_get(r, "per_port"), k, row) {
			table_cell(&t, "%" PRIu64, number(r, "rule_id"));
			table_cell(&t, "%" PRIu64, number(row, "listen_port"));
			table_cell(&t, "%s", text_bytes(number(row, "bytes_in"), a));
			table_cell(&t, "%s", text_bytes(number(row, "bytes_out"), a));
			table_cell(&t, "%" PRIu64, number(row, "active_connections"));
			table_cell(&t, "%" PRIu64, number(row, "datagrams_in"));
			table_cell(&t, "%" PRIu64, number(row, "datagrams_out"));
		}
	}
	table_print(&t, out);
}

/* The cap, or "-" without one. */
static const char *text_cap(const json_t *limits, const char *key, bool bytes, char out[TEXT_SIZE])
{
	const json_t *cap = json_object_get(limits, key);

	if (!cap)
		return "-";
	if (bytes)
		return text_bytes((uint64_t)json_integer_value(cap), out);
	snprintf(out, TEXT_SIZE, "%" PRIu64, (uint64_t)json_integer_value(cap));
	return out;
}

static void caps_cells(struct table *t, const json_t *caps)
{
	const json_t *limits = json_object_get(caps, "limits");
	const json_t *reject = json_object_get(caps, "reject");
	char a[TEXT_SIZE];

	table_cell(t, "%s", text_cap(limits, "bandwidth_in_bps", true, a));
	table_cell(t, "%s", text_cap(limits, "bandwidth_out_bps", true, a));
	table_cell(t, "%s", text_cap(limits, "new_connections_per_sec", false, a));
	table_cell(t, "%s", text_cap(limits, "concurrent_connections", false, a));
	table_cell(t, "%" PRIu64, number(caps, "active_connections"));
	table_cell(t, "%" PRIu64, number(reject, "conn_rate") + number(reject, "udp_flow_rate"));
	table_cell(t, "%" PRIu64, number(reject, "conn_concurrent"));
	table_cell(t, "%" PRIu64, number(caps, "datagrams_dropped"));
	table_cell(t, "%.1fs", json_number_value(json_object_get(caps, "throttle_seconds_in")));
	table_cell(t, "%.1fs", json_number_value(json_object_get(caps, "throttle_seconds_out")));
}

#define CAPS_COLUMNS                                                                          \
	{"IN/S", true}, {"OUT/S", true}, {"NEW/S", true}, {"MAX OPEN", true}, {"OPEN", true}, \
		{"REFUSED BY RATE", true}, {"BY NUMBER", true}, {"DROPPED", true},            \
		{"HELD BACK IN", true}, {"OUT", true},

/* Nothing without caps. */
static void show_caps(FILE *out, const json_t *rules)
{
	static const struct column columns[] = {{"RULE", true}, CAPS_COLUMNS};
	struct table t = {.columns = columns, .n_columns = sizeof(columns) / sizeof(columns[0])};
	unsigned n = 0;
	json_t *r;
	size_t i;

	json_array_foreach ((json_t *)rules, i, r) {
		if (!json_object_get(r, "rate_limit"))
			continue;
		table_cell(&t, "%" PRIu64, number(r, "rule_id"));
		caps_cells(&t, json_object_get(r, "rate_limit"));
		n++;
	}
	if (!n)
		return;
	fputc('\n', out);
	table_print(&t, out);
}

/* One line for each name that leads somewhere, and one for what came of the rest. */
static void sni_cells(struct table *t, const json_t *port, const json_t *rules)
{
	const json_t *routes = json_object_get(port, "routes"), *r;
	const json_t *fallback = json_object_get(port, "fallback_rule_id");
	uint64_t n = number(port, "port");
	size_t i;

	json_array_foreach ((json_t *)routes, i, r) {
		table_cell(t, "%" PRIu64, n);
		table_cell(t, "%s", text(r, "pattern"));
		table_cell(t, "%" PRIu64, number(r, "rule_id"));
		table_cell(t, "%" PRIu64, routed_to(rules, number(r, "rule_id")));
	}
	if (json_is_integer(fallback)) {
		table_cell(t, "%" PRIu64, n);
		table_cell(t, "(any other)");
		table_cell(t, "%" PRIu64, (uint64_t)json_integer_value(fallback));
		table_cell(t, "%" PRIu64, routed_to(rules, (uint64_t)json_integer_value(fallback)));
	}
}

static void show_sni(FILE *out, const json_t *answer)
{
	static const struct column columns[] = {{"PORT", true},
						{"SERVER NAME"},
						{"RULE", true},
						{"ROUTED", true}};
	struct table t = {.columns = columns, .n_columns = sizeof(columns) / sizeof(columns[0])};
	const json_t *ports = json_object_get(answer, "sni_listeners"), *p;
	size_t i;

	if (!json_array_size(ports))
		return;
	json_array_foreach ((json_t *)ports, i, p)
		sni_cells(&t, p, json_object_get(answer, "rules"));
	fputc('\n', out);
	table_print(&t, out);
	json_array_foreach ((json_t *)ports, i, p)
		fprintf(out,
			"port %" PRIu64 ": %" PRIu64 " without a rule, %" PRIu64
			" without a ClientHello, %" PRIu64 " closed because too many waited\n",
			number(p, "port"), number(p, "route_miss_total"),
			number(p, "parse_failures_total"), number(p, "peek_rejected_total"));
}

/* Whether a byte here is an acknowledged or a written one is never left to guess. */
static void show_basis(FILE *out, const json_t *answer)
{
	const char *error = text(answer, "refresh_error");
	const char *reason = text(answer, "accounting_reason");

	if (strcmp(text(answer, "accounting"), "bpf"))
		fprintf(out, "accounting: user, bytes written to the sockets (%s)\n", reason);
	else if (*reason)
		fprintf(out, "accounting: bpf, bytes acknowledged by the receiver (%s)\n", reason);
	else
		fputs("accounting: bpf, bytes acknowledged by the receiver\n", out);
	if (*error)
		fprintf(out, "open connections are counted as of an earlier moment: %s\n", error);
}

void show_stats(FILE *out, const json_t *answer, const struct show *how)
{
	const json_t *rules = json_object_get(answer, "rules");

	if (!json_array_size(rules))
		fputs("no rules\n", out);
	else
		show_rules(out, rules, how);
	if (how->per_target && json_array_size(rules)) {
		fputc('\n', out);
		show_targets(out, rules, how);
	}
	if (how->per_port && json_array_size(rules)) {
		fputc('\n', out);
		show_ports(out, rules);
	}
	show_caps(out, rules);
	show_sni(out, answer);
	show_basis(out, answer);
}

/* ---- connections ---- */

static void conn_cells(struct table *t, const json_t *c)
{
	const char *target = text(c, "target");
	char a[TEXT_SIZE];

	table_cell(t, "%" PRIu64, number(c, "rule_id"));
	table_cell(t, "%s", text(c, "client"));
	table_cell(t, "%s", *target ? target : "-");
	table_cell(t, "%s", text(c, "state"));
	table_cell(t, "%s", text(c, "path"));
	table_cell(t, "%s", text_span(number(c, "age_ms"), a));
	table_cell(t, "%s", text_bytes(number(c, "bytes_in"), a));
	table_cell(t, "%s", text_bytes(number(c, "bytes_out"), a));
	table_cell(t, "%s", text_us(number(c, "rtt_client_us"), a));
	table_cell(t, "%s", text_us(number(c, "rtt_target_us"), a));
	table_cell(t, "%" PRIu64, number(c, "retransmits_client"));
	table_cell(t, "%" PRIu64, number(c, "retransmits_target"));
	table_cell(t, "%s", text_bytes(number(c, "unacked_client"), a));
	table_cell(t, "%s", text_bytes(number(c, "unacked_target"), a));
}

/* The oldest of each rule first. */
static int by_rule_and_age(const void *a, const void *b)
{
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
	uint64_t rx = number(x, "rule_id"), ry = number(y, "rule_id");
	uint64_t ax = number(x, "age_ms"), ay = number(y, "age_ms");

	if (rx != ry)
		return rx < ry ? -1 : 1;
	return ax > ay ? -1 : ax < ay;
}

void show_connections(FILE *out, const json_t *answer)
{
	/* C: towards the client, T: towards the target. */
	static const struct column columns[] = {
		{"RULE", true},
		{"CLIENT"},
		{"TARGET"},
		{"STATE"},
		{"PATH"},
		{"AGE", true},
		{"IN", true},
		{"OUT", true},
		{"RTT C", true},
		{"RTT T", true},
		{"RETR C", true},
		{"RETR T", true},
		{"UNACKED C", true},
		{"UNACKED T", true},
	};
	struct table t = {.columns = columns, .n_columns = sizeof(columns) / sizeof(columns[0])};
	const json_t *all = json_object_get(answer, "connections"), **sorted;
	size_t n = json_array_size(all);

	sorted = calloc(n + 1, sizeof(*sorted));
	for (size_t i = 0; sorted && i < n; i++)
		sorted[i] = json_array_get(all, i);
	if (sorted && n) {
		qsort(sorted, n, sizeof(*sorted), by_rule_and_age);
		for (size_t i = 0; i < n; i++)
			conn_cells(&t, sorted[i]);
		table_print(&t, out);
	}
	free(sorted);
	fprintf(out, "%zu connection%s%s\n", n, n == 1 ? "" : "s",
		n ? " (C: towards the client, T: towards the target)" : "");
}

/* ---- flows ---- */

void show_flows(FILE *out, const json_t *answer)
{
	static const struct column columns[] = {
		{"RULE", true},
		{"LISTEN"},
		{"CLIENT"},
		{"TARGET"},
		{"AGE", true},
		{"IDLE", true},
		{"DATAGRAMS IN", true},
		{"OUT", true},
		{"IN", true},
		{"OUT", true},
	};
	struct table t = {.columns = columns, .n_columns = sizeof(columns) / sizeof(columns[0])};
	const json_t *all = json_object_get(answer, "flows");
	size_t n = json_array_size(all);
	char a[TEXT_SIZE];

	for (size_t i = 0; i < n; i++) {
		const json_t *f = json_array_get(all, i);
		const char *target = text(f, "target");

		table_cell(&t, "%" PRIu64, number(f, "rule_id"));
		table_cell(&t, "*:%" PRIu64, number(f, "listen_port"));
		table_cell(&t, "%s", text(f, "client"));
		table_cell(&t, "%s", *target ? target : "-");
		table_cell(&t, "%s", text_span(number(f, "age_ms"), a));
		table_cell(&t, "%s", text_span(number(f, "idle_ms"), a));
		table_cell(&t, "%" PRIu64, number(f, "datagrams_in"));
		table_cell(&t, "%" PRIu64, number(f, "datagrams_out"));
		table_cell(&t, "%s", text_bytes(number(f, "bytes_in"), a));
		table_cell(&t, "%s", text_bytes(number(f, "bytes_out"), a));
	}
	if (n)
		table_print(&t, out);
	fprintf(out, "%zu flow%s%s\n", n, n == 1 ? "" : "s",
		json_is_true(json_object_get(answer, "more")) ? ", and more: name a rule" : "");
}

/* ---- status ---- */

static void show_server(FILE *out, const json_t *server)
{
	const char *version = text(server, "version"), *error = text(server, "last_error");
	uint64_t unconfirmed = number(server, "unconfirmed_rules");

	fprintf(out, "server        %s, %s%s%s%s%s%s\n", text(server, "endpoint"),
		text(server, "state"), *version ? " (version " : "", version, *version ? ")" : "",
		*error ? ": " : "", error);
	if (unconfirmed)
		fprintf(out, "unconfirmed   %" PRIu64 " rules that the server has not named\n",
			unconfirmed);
}

/* Nothing without caps. */
static void show_owners(FILE *out, const json_t *owners)
{
	static const struct column columns[] = {{"OWNER"}, CAPS_COLUMNS};
	struct table t = {.columns = columns, .n_columns = sizeof(columns) / sizeof(columns[0])};
	size_t n = json_array_size(owners);

	for (size_t i = 0; i < n; i++) {
		const json_t *o = json_array_get(owners, i);

		table_cell(&t, "%s", text(o, "owner"));
		caps_cells(&t, o);
	}
	if (!n)
		return;
	fputc('\n', out);
	table_print(&t, out);
}

void show_status(FILE *out, const json_t *a)
{
	const json_t *rules = json_object_get(a, "rules"), *fds = json_object_get(a, "fds");
	const char *instance = text(a, "instance"), *reason = text(a, "accounting_reason");
	char buf[TEXT_SIZE];

	fprintf(out, "version       %s\n", text(a, "version"));
	fprintf(out, "instance      %s, pid %" PRIu64 ", up %s\n", *instance ? instance : "default",
		number(a, "pid"), text_span(number(a, "uptime_secs") * 1000, buf));
	fprintf(out, "rules         %" PRIu64 " active, %" PRIu64 " failed (from %s)\n",
		number(rules, "active"), number(rules, "failed"), text(a, "rules_from"));
	if (json_is_object(json_object_get(a, "server")))
		show_server(out, json_object_get(a, "server"));
	if (number(a, "sni_ports"))
		fprintf(out, "server names  %" PRIu64 " on %" PRIu64 " ports\n",
			number(a, "sni_names"), number(a, "sni_ports"));
	fprintf(out, "connections   %" PRIu64 "\n", number(a, "connections"));
	fprintf(out, "accounting    %s%s%s\n", text(a, "accounting"), *reason ? ": " : "", reason);
	fprintf(out, "relay         %s\n", text(a, "relay"));
	reason = text(a, "kernel_relay_reason");
	fprintf(out, "kernel relay  %s%s%s\n", text(a, "kernel_relay"), *reason ? ": " : "",
		reason);
	reason = text(a, "balance_reason");
	fprintf(out, "workers       %" PRIu64 ", new connections by %s%s%s\n", number(a, "workers"),
		text(a, "balance"), *reason ? ": " : "", reason);
	fprintf(out, "descriptors   %" PRIu64 " of %" PRIu64 "\n", number(fds, "open"),
		number(fds, "limit"));
	fprintf(out, "memory        %s\n", text_bytes(number(a, "rss_bytes"), buf));
	fprintf(out,
		"lacked        %" PRIu64 " times descriptors to accept, %" PRIu64
		" times a pipe to splice\n",
		number(a, "accept_pauses"), number(a, "pipes_refused"));
	if (number(a, "worker_stalls"))
		fprintf(out, "stalled       %" PRIu64 " times a worker, for 2 s or more\n",
			number(a, "worker_stalls"));
	fprintf(out, "sandbox       %s\n", text(a, "sandbox"));
	fprintf(out, "log           %" PRIu64 " lines dropped\n", number(a, "log_dropped"));
	show_owners(out, json_object_get(a, "owners"));
}

/* The bytes of as many characters of a line as fit. */
static int fitting(const char *line, size_t len, unsigned columns)
{
	size_t at = 0;

	for (int used = 0; at < len;) {
		size_t n = utf8_len(line + at, len - at);
		int width = 1;

		if (n)
			width = u8_width((const uint8_t *)line + at, n, "UTF-8");
		used += width > 0 ? width : 0;
		if (used > (int)columns)
			break;
		at += n ? n : 1;
	}
	return (int)at;
}

void show_on_terminal(FILE *out, const char *text, unsigned rows, unsigned columns)
{
	fputs("\033[H", out);
	for (unsigned row = 0; *text && row < rows; row++) {
		size_t len = strcspn(text, "\n");

		/* Each line ends with what clears the rest of an older, longer one. */
		fprintf(out, "%.*s\033[K", fitting(text, len, columns), text);
		if (row + 1 < rows)
			fputc('\n', out);
		text += len + (text[len] == '\n');
	}
	fputs("\033[J", out);
	fflush(out);
}
