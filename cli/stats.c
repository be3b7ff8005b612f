// SPDX-License-Identifier: MIT
/* rule-stats, once or live */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/print.h"
#include "cli/request.h"
#include "cli/verbs.h"
#include "lib/base/table.h"

#define SINGLE_TARGET_NOTE "(single-target rule, no per-target state)"

/* "2026-05-08T10:42:16.120Z" without the fraction. */
static void whole_seconds(const char *text, char *out, size_t size)
{
	snprintf(out, size, "%.*sZ", (int)strcspn(text, ".Z"), text);
}

static void unix_time(long long ms, char *out, size_t size)
{
	time_t secs = (time_t)(ms / 1000);
	struct tm tm;

	if (!ms || !gmtime_r(&secs, &tm))
		snprintf(out, size, "-");
	else
		strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void print_summary(const json_t *s)
{
	const char *protocol = text_of(s, "protocol", "tcp");
	char updated[40];

	whole_seconds(text_of(s, "updated_at", "-"), updated, sizeof(updated));
	printf("rule_id=%lld client=%s protocol=%s bytes_in=%lld bytes_out=%lld ",
	       number_of(s, "rule_id"), text_of(s, "client_name", "-"), protocol,
	       number_of(s, "bytes_in"), number_of(s, "bytes_out"));
	if (!strcmp(protocol, "udp"))
		printf("active_flows=%lld datagrams_in=%lld datagrams_out=%lld "
		       "flows_dropped_overflow=%lld dns_failures=%lld updated_at=%s\n",
		       number_of(s, "active_flows"), number_of(s, "datagrams_in"),
		       number_of(s, "datagrams_out"), number_of(s, "flows_dropped_overflow"),
		       number_of(s, "dns_failures"), updated);
	else
		printf("active=%lld dns_failures=%lld target_failovers_total=%lld updated_at=%s\n",
		       number_of(s, "active_connections"), number_of(s, "dns_failures"),
		       number_of(s, "target_failovers_total"), updated);
}

static const struct column target_columns[] = {
	{"IDX"},      {"HOST", .cut = true}, {"PORT"},	{"PRIO"},    {"HEALTH"},    {"FAILS"},
	{"BYTES_IN"}, {"BYTES_OUT"},	     {"CONNS"}, {"LAST_OK"}, {"LAST_FAIL"},
};

static void add_target(struct table *t, const json_t *target)
{
	char ok[32], failed[32];

	unix_time(number_of(target, "last_success_at_unix_ms"), ok, sizeof(ok));
	unix_time(number_of(target, "last_failure_at_unix_ms"), failed, sizeof(failed));
	table_cell(t, "%lld", number_of(target, "index"));
	table_cell(t, "%s", text_of(target, "host", "-"));
	table_cell(t, "%lld", number_of(target, "port"));
	table_cell(t, "%lld", number_of(target, "priority"));
	table_cell(t, "%s", number_of(target, "health") ? "Failed" : "Healthy");
	table_cell(t, "%lld", number_of(target, "consecutive_failures"));
	table_cell(t, "%lld", number_of(target, "bytes_in"));
	table_cell(t, "%lld", number_of(target, "bytes_out"));
	table_cell(t, "%lld", number_of(target, "connections_accepted"));
	table_cell(t, "%s", ok);
	table_cell(t, "%s", failed);
}

static void print_targets(const json_t *targets)
{
	struct table table = {.columns = target_columns, .n_columns = 11};
	const json_t *t;
	size_t i;

	if (!json_array_size(targets)) {
		puts(SINGLE_TARGET_NOTE);
		return;
	}
	json_array_foreach (targets, i, t)
		add_target(&table, t);
	table_print(&table, stdout);
}

/* The order in which scripts know the keys; what the server adds comes behind. */
static json_t *ordered(json_t *s)
{
	static const char *const keys[] = {"rule_id",
					   "client_name",
					   "protocol",
					   "bytes_in",
					   "bytes_out",
					   "active_connections",
					   "dns_failures",
					   "datagrams_in",
					   "datagrams_out",
					   "active_flows",
					   "flows_dropped_overflow",
					   "target_failovers_total",
					   "updated_at",
					   "per_target",
					   "per_port"};
	json_t *out = json_object(), *value, *t;
	const char *key;
	size_t i;

	if (!json_object_get(s, "protocol"))
		json_object_set_new(s, "protocol", json_string("tcp"));
	json_array_foreach (json_object_get(s, "per_target"), i, t)
		json_object_set_new(t, "health",
				    json_string(number_of(t, "health") ? "Failed" : "Healthy"));
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		value = json_object_get(s, keys[i]);
		if (value)
			json_object_set(out, keys[i], value);
	}
	json_object_foreach (s, key, value) {
		if (!json_object_get(out, key))
			json_object_set(out, key, value);
	}
	return out;
}

/* One line: the caps, and what they have done. */
static void print_caps(const json_t *caps)
{
	const json_t *limits = json_object_get(caps, "limits"), *value;
	const json_t *refused = json_object_get(caps, "reject");
	const char *key;

	if (!caps) {
		puts("(no caps)");
		return;
	}
	json_object_foreach ((json_t *)limits, key, value)
		printf("%s=%lld ", key, (long long)json_integer_value(value));
	printf("active_connections=%lld throttle_seconds_in=%.3f throttle_seconds_out=%.3f "
	       "datagrams_dropped=%lld",
	       number_of(caps, "active_connections"),
	       json_number_value(json_object_get(caps, "throttle_seconds_in")),
	       json_number_value(json_object_get(caps, "throttle_seconds_out")),
	       number_of(caps, "datagrams_dropped"));
	json_object_foreach ((json_t *)refused, key, value)
		printf(" reject_%s=%lld", key, (long long)json_integer_value(value));
	puts(json_is_false(json_object_get(caps, "enforced")) ? " enforced=false" : "");
}

/* In the layout that scripts read by columns; nothing for a rule with one port. */
static void print_ports(const json_t *s)
{
	bool udp = !strcmp(text_of(s, "protocol", "tcp"), "udp");
	const json_t *ports = json_object_get(s, "per_port"), *p;
	size_t i;

	if (!ports)
		return;
	if (udp)
		printf("%-8s%-14s%-14s%-14s%-14s\n", "PORT", "BYTES_IN", "BYTES_OUT",
		       "DATAGRAMS_IN", "DATAGRAMS_OUT");
	else
		printf("%-8s%-14s%-14s%-8s\n", "PORT", "BYTES_IN", "BYTES_OUT", "ACTIVE");
	json_array_foreach (ports, i, p) {
		printf("%-8lld%-14lld%-14lld", number_of(p, "listen_port"),
		       number_of(p, "bytes_in"), number_of(p, "bytes_out"));
		if (udp)
			printf("%-14lld%-14lld\n", number_of(p, "datagrams_in"),
			       number_of(p, "datagrams_out"));
		else
			printf("%-8lld\n", number_of(p, "active_connections"));
	}
}

static void print_stats(const struct cli_args *a, const json_t *s)
{
	print_summary(s);
	if (args_flag(a, "per-port"))
		print_ports(s);
	if (args_flag(a, "per-target"))
		print_targets(json_object_get(s, "per_target"));
	if (args_flag(a, "caps"))
		print_caps(json_object_get(s, "rate_limit"));
}

/* One event: a line of JSON, or the text, in place when a person looks at it. */
static int show_event(void *arg, const char *data)
{
	const struct cli_args *a = arg;
	json_t *s = json_loads(data, 0, NULL), *o;

	if (!s)
		return 0;
	if (a->json) {
		o = ordered(s);
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(o);
	} else {
		/* Home and clear, so that the figures stay where they are. */
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		print_stats(a, s);
	}
	json_decref(s);
	return fflush(stdout); /* a closed pipe ends it */
}

int verb_rule_stats(struct cli_args *a)
{
	const char *flag = args_flag(a, "per-target") ? "?per_target=true" : "";
	const char *ports = !args_flag(a, "per-port") ? ""
			    : *flag		      ? "&per_port=true"
						      : "?per_port=true";
	json_t *s = NULL, *o;
	unsigned long long id;
	char target[96], gone[48];
	int rc;

	if (!parse_u64(a->positional[0], 0, UINT64_MAX, &id))
		return usage_error(a, "invalid value '%s' for RULE_ID", a->positional[0]);
	if (args_flag(a, "watch")) {
		snprintf(target, sizeof(target), "/v1/rules/%llu/stats/stream%s", id, flag);
		snprintf(gone, sizeof(gone), "rule %llu is gone", id);
		return api_stream(a, target, show_event, a, gone);
	}
	snprintf(target, sizeof(target), "/v1/rules/%llu/stats%s%s", id, flag, ports);
	rc = api_call(a, "GET", target, NULL, &s);
	if (rc)
		return rc;
	if (a->json) {
		o = ordered(s);
		print_json(o);
		json_decref(o);
	} else {
		print_stats(a, s);
	}
	json_decref(s);
	return EXIT_OK;
}
