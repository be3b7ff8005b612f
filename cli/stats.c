// SPDX-License-Identifier: MIT
/* rule-stats, once or live */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/verb.h"

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

static const int target_widths[] = {3, 24, 6, 4, 8, 5, 14, 14, 6, 20, 20};

static void print_target(const json_t *t)
{
	char text[11][32];
	const char *cells[11];

	for (int i = 0; i < 11; i++)
		cells[i] = text[i];
	snprintf(text[0], 32, "%lld", number_of(t, "index"));
	cells[1] = text_of(t, "host", "-");
	snprintf(text[2], 32, "%lld", number_of(t, "port"));
	snprintf(text[3], 32, "%lld", number_of(t, "priority"));
	cells[4] = number_of(t, "health") ? "Failed" : "Healthy";
	snprintf(text[5], 32, "%lld", number_of(t, "consecutive_failures"));
	snprintf(text[6], 32, "%lld", number_of(t, "bytes_in"));
	snprintf(text[7], 32, "%lld", number_of(t, "bytes_out"));
	snprintf(text[8], 32, "%lld", number_of(t, "connections_accepted"));
	unix_time(number_of(t, "last_success_at_unix_ms"), text[9], 32);
	unix_time(number_of(t, "last_failure_at_unix_ms"), text[10], 32);
	table_line(target_widths, cells, 11);
}

static void print_targets(const json_t *targets)
{
	static const char *const header[] = {"IDX",    "HOST",	  "PORT",     "PRIO",
					     "HEALTH", "FAILS",	  "BYTES_IN", "BYTES_OUT",
					     "CONNS",  "LAST_OK", "LAST_FAIL"};
	const json_t *t;
	size_t i;

	if (!json_array_size(targets)) {
		puts(SINGLE_TARGET_NOTE);
		return;
	}
	table_line(target_widths, header, 11);
	json_array_foreach (targets, i, t)
		print_target(t);
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

static void print_stats(const struct cli_args *a, const json_t *s)
{
	print_summary(s);
	if (args_flag(a, "per-target"))
		print_targets(json_object_get(s, "per_target"));
}

/* One event: a line of JSON, or the text, in place when a person looks at it. */
static int show_event(void *arg, const char *data)
{
	const struct cli_args *a = arg;
	json_t *s = json_loads(data, 0, NULL), *o;

	if (!s)
		return 0;
	if (args_json(a)) {
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
	json_t *s = NULL, *o;
	unsigned long long id;
	char target[96];
	int rc;

	if (!parse_u64(a->positional[0], 0, UINT64_MAX, &id))
		return usage_error(a, "invalid value '%s' for RULE_ID", a->positional[0]);
	if (args_flag(a, "watch")) {
		snprintf(target, sizeof(target), "/v1/rules/%llu/stats/stream%s", id, flag);
		return api_stream(a, target, show_event, a);
	}
	snprintf(target, sizeof(target), "/v1/rules/%llu/stats%s", id, flag);
	rc = api_call(a, VIA_API, "GET", target, NULL, &s);
	if (rc)
		return rc;
	if (args_json(a)) {
		o = ordered(s);
		print_json(o);
		json_decref(o);
	} else {
		print_stats(a, s);
	}
	json_decref(s);
	return EXIT_OK;
}
