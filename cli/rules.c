// SPDX-License-Identifier: MIT
/* push-rule, update-rule, remove-rule, list-rules */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/http.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/rule_body.h"
#include "cli/verbs.h"
#include "lib/base/table.h"

static int print_rule_id(const struct cli_args *a, json_t *answer)
{
	if (a->json)
		print_json(answer);
	else
		printf("%lld\n", number_of(answer, "rule_id"));
	json_decref(answer);
	return EXIT_OK;
}

int verb_push_rule(struct cli_args *a)
{
	json_t *body = json_object(), *answer = NULL;
	int rc = rule_body_of_push(a, body);

	if (rc) {
		json_decref(body);
		return rc;
	}
	rc = api_call(a, "POST", "/v1/rules?strict=true", body, &answer);
	return rc ? rc : print_rule_id(a, answer);
}

int verb_update_rule(struct cli_args *a)
{
	json_t *row = NULL, *body, *answer = NULL;
	struct api_tag tag = {""};
	unsigned long long id;
	char target[80];
	int rc;

	if (!parse_u64(a->positional[0], 0, INT64_MAX, &id))
		return usage_error(a, "invalid value '%s' for RULE_ID", a->positional[0]);
	snprintf(target, sizeof(target), "/v1/rules/%llu", id);
	rc = api_call_tagged(a, "GET", target, NULL, &tag, &row);
	if (rc)
		return rc;
	body = rule_body_of_row(row);
	json_decref(row);
	rc = rule_body_change(a, body);
	if (rc) {
		json_decref(body);
		return rc;
	}
	snprintf(target, sizeof(target), "/v1/rules/%llu?strict=true", id);
	rc = api_call_tagged(a, "PUT", target, body, &tag, &answer);
	return rc ? rc : print_rule_id(a, answer);
}

int verb_remove_rule(struct cli_args *a)
{
	unsigned long long id;
	char target[64];
	int rc;

	if (!parse_u64(a->positional[0], 0, INT64_MAX, &id))
		return usage_error(a, "invalid value '%s' for RULE_ID", a->positional[0]);
	snprintf(target, sizeof(target), "/v1/rules/%llu", id);
	rc = api_call(a, "DELETE", target, NULL, NULL);
	if (!rc && a->json)
		print_done("removed", json_integer((json_int_t)id));
	return rc;
}

int verb_fail_back(struct cli_args *a)
{
	unsigned long long id;
	char target[64];
	int rc;

	if (!parse_u64(a->positional[0], 0, INT64_MAX, &id))
		return usage_error(a, "invalid value '%s' for RULE_ID", a->positional[0]);
	snprintf(target, sizeof(target), "/v1/rules/%llu/failback", id);
	rc = api_call(a, "POST", target, NULL, NULL);
	if (!rc && a->json)
		print_done("failed_back", json_integer((json_int_t)id));
	return rc;
}

static const struct column rule_columns[] = {
	{"ID"},
	{"CLIENT", .cut = true},
	{"PORT"},
	{"TARGET", .cut = true},
	{"SNI/PROXY", .optional = true},
	{"CAPS", .optional = true},
	{"STATE"},
};

/* The name that a rule routes by, and how many of its targets get a header of the PROXY protocol. */
static void add_sni_and_headers(struct table *t, const json_t *r)
{
	const json_t *targets = json_object_get(r, "targets"), *target;
	unsigned headers = 0;
	size_t i;

	json_array_foreach (targets, i, target)
		headers += json_is_string(json_object_get(target, "proxy_protocol"));
	if (!headers)
		table_cell(t, "%s", text_of(r, "sni_pattern", "-"));
	else if (json_object_get(r, "sni_pattern"))
		table_cell(t, "%s | PROXY %u", text_of(r, "sni_pattern", ""), headers);
	else
		table_cell(t, "PROXY %u", headers);
}

/* Bytes a second in units of 1024: "900", "512K", "10.0M". */
static void rate_text(char *out, size_t size, long long n)
{
	if (n < 1 << 10)
		snprintf(out, size, "%lld", n);
	else if (n < 1 << 20)
		snprintf(out, size, "%lldK", n >> 10);
	else
		snprintf(out, size, "%.1fM", (double)n / (1 << 20));
}

/* What a rule may do: "↓10.0M·↑512K·50/s·≤200". */
static void add_caps(struct table *t, const json_t *r)
{
	static const struct {
		const char *key, *before, *after;
		bool bytes;
	} parts[] = {
		{"bandwidth_in_bps", "↓", "", true},
		{"bandwidth_out_bps", "↑", "", true},
		{"new_connections_per_sec", "", "/s", false},
		{"concurrent_connections", "≤", "", false},
	};
	const json_t *limit = json_object_get(r, "rate_limit");
	char text[160] = "";
	size_t len = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		long long n = number_of(limit, parts[i].key);
		char number[32];

		if (!json_is_integer(json_object_get(limit, parts[i].key)))
			continue;
		if (parts[i].bytes)
			rate_text(number, sizeof(number), n);
		else
			snprintf(number, sizeof(number), "%lld", n);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s%s", len ? "·" : "",
					parts[i].before, number, parts[i].after);
	}
	table_cell(t, "%s", len ? text : "-");
}

static void add_rule(struct table *t, const json_t *r)
{
	const json_t *state = json_object_get(r, "state");
	size_t n = json_array_size(json_object_get(r, "targets"));
	char more[32] = "";

	table_cell(t, "%lld", number_of(r, "id"));
	table_cell(t, "%s", text_of(r, "client_name", "-"));
	if (json_object_get(r, "listen_port_end"))
		table_cell(t, "%lld-%lld", number_of(r, "listen_port"),
			   number_of(r, "listen_port_end"));
	else
		table_cell(t, "%lld", number_of(r, "listen_port"));
	if (n > 1)
		snprintf(more, sizeof(more), " (+%zu)", n - 1);
	table_cell(t, "%s:%lld%s", text_of(r, "target_host", "-"), number_of(r, "target_port"),
		   more);
	add_sni_and_headers(t, r);
	add_caps(t, r);
	table_cell(t, "%s%s%s", text_of(state, "kind", "-"),
		   json_object_get(state, "reason") ? ":" : "", text_of(state, "reason", ""));
}

static void drop_health(json_t *rules)
{
	json_t *r, *t;
	size_t i, k;

	json_array_foreach (rules, i, r) {
		json_array_foreach (json_object_get(r, "targets"), k, t)
			json_object_del(t, "health");
	}
}

int verb_list_rules(struct cli_args *a)
{
	const char *client = args_option(a, "client");
	char *target = client ? url_with("/v1/rules?client=", client, "") : NULL;
	char id[CLIENT_ID_SIZE];
	json_t *rules = NULL, *r;
	struct table t = {.columns = rule_columns, .n_columns = 7};
	size_t i;
	int rc;

	if (client && !target)
		return cli_failure(a, EXIT_OTHER, "memory", "out of memory");
	rc = api_call(a, "GET", target ? target : "/v1/rules", NULL, &rules);
	free(target);
	/* No rules, or no such client? */
	if (!rc && client && !json_array_size(rules))
		rc = client_find(a, client, id);
	if (rc) {
		json_decref(rules);
		return rc;
	}
	if (a->json) {
		drop_health(rules);
		print_json(rules);
	} else {
		json_array_foreach (rules, i, r)
			add_rule(&t, r);
		table_print(&t, stdout);
	}
	json_decref(rules);
	return EXIT_OK;
}
