// SPDX-License-Identifier: MIT
/* push-rule, remove-rule, list-rules */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/verb.h"
#include "lib/rule.h"

/* "18080" or "30000-30050"; *end is 0 for a single port. */
static bool parse_listen(const char *text, unsigned long long *start, unsigned long long *end)
{
	const char *dash = strchr(text, '-');
	char first[8];

	*end = 0;
	if (!dash)
		return parse_u64(text, 1, 65535, start);
	if (dash - text >= (long)sizeof(first))
		return false;
	snprintf(first, sizeof(first), "%.*s", (int)(dash - text), text);
	return parse_u64(first, 1, 65535, start) && parse_u64(dash + 1, 1, 65535, end) &&
	       *end >= *start;
}

/* Splits at the last colon; @ports may be a range. */
static bool split_target(const char *text, char *host, size_t size, const char **ports)
{
	const char *colon = strrchr(text, ':');

	if (!colon || colon == text || (size_t)(colon - text) >= size)
		return false;
	snprintf(host, size, "%.*s", (int)(colon - text), text);
	*ports = colon + 1;
	return true;
}

/* host:port[@priority] as a target of the body, or NULL. */
static json_t *parse_target(const char *text)
{
	char spec[300], host[270];
	unsigned long long port, priority;
	const char *ports;
	char *at;
	json_t *o;

	if (strlen(text) >= sizeof(spec))
		return NULL;
	strcpy(spec, text);
	at = strrchr(spec, '@');
	if (at)
		*at++ = '\0';
	if ((at && !parse_u64(at, 0, UINT32_MAX, &priority)) ||
	    !split_target(spec, host, sizeof(host), &ports) || !parse_u64(ports, 1, 65535, &port))
		return NULL;
	o = json_pack("{s:s,s:I}", "host", host, "port", (json_int_t)port);
	if (o && at)
		json_object_set_new(o, "priority", json_integer((json_int_t)priority));
	return o;
}

static bool has_targets(const struct cli_args *a)
{
	return args_flag(a, "target") || args_flag(a, "targets-json");
}

/* The shape of the targets: 0, or an exit code. */
static int check_shape(const struct cli_args *a)
{
	bool positional = a->n_positional > 2;

	if (args_flag(a, "target") && args_flag(a, "targets-json"))
		return usage_error(a, "'--target' cannot be used with '--targets-json'");
	if (positional && has_targets(a))
		return cli_error(EXIT_INVALID, "rule_shape_conflict",
				 "give either HOST:PORT or --target/--targets-json");
	if (!positional && !has_targets(a))
		return cli_error(EXIT_INVALID, "rule_shape_missing",
				 "give HOST:PORT, --target or --targets-json");
	return EXIT_OK;
}

static int add_targets(const struct cli_args *a, json_t *body)
{
	const char *text = args_option(a, "targets-json");
	json_t *list = text ? json_loads(text, 0, NULL) : json_array();

	if (!json_is_array(list)) {
		json_decref(list);
		return cli_error(EXIT_INVALID, "invalid_json",
				 "--targets-json is not a JSON array");
	}
	for (int i = 0; i < a->n_options; i++) {
		json_t *target;

		if (strcmp(a->options[i].name, "target"))
			continue;
		target = parse_target(a->options[i].value);
		if (!target) {
			json_decref(list);
			return cli_error(EXIT_INVALID, "invalid_target",
					 "'%s' is not host:port[@priority]", a->options[i].value);
		}
		json_array_append_new(list, target);
	}
	json_object_set_new(body, "targets", list);
	return EXIT_OK;
}

/* The positional target, which may have a range of ports. */
static int add_legacy(const struct cli_args *a, json_t *body)
{
	unsigned long long start, end;
	const char *ports, *wrong, *suffix;
	char host[270], code[64];

	if (!split_target(a->positional[2], host, sizeof(host), &ports) ||
	    !parse_listen(ports, &start, &end))
		return cli_error(EXIT_INVALID, "invalid_target", "'%s' is not host:port",
				 a->positional[2]);
	wrong = rule_check_host(host, &suffix);
	if (wrong) {
		snprintf(code, sizeof(code), "invalid_target_host%s", suffix);
		return cli_error(EXIT_INVALID, code, "%s", wrong);
	}
	json_object_set_new(body, "target_host", json_string(host));
	json_object_set_new(body, "target_port", json_integer((json_int_t)start));
	if (end)
		json_object_set_new(body, "target_port_end", json_integer((json_int_t)end));
	return EXIT_OK;
}

struct number_option {
	const char *option, *key;
	unsigned long long min, max;
	bool limit; /* goes into rate_limit */
};

static const struct number_option number_options[] = {
	{"ack-timeout", "ack_timeout_secs", 0, INT64_MAX, false},
	{"health-check-interval-secs", "health_check_interval_secs", 1, 3600, false},
	{"connect-timeout-ms", "connect_timeout_ms", 0, UINT32_MAX, false},
	{"hedge-delay-ms", "hedge_delay_ms", 0, UINT32_MAX, false},
	{"idle-timeout-secs", "idle_timeout_secs", 0, UINT32_MAX, false},
	{"bandwidth-in-bps", "bandwidth_in_bps", 0, INT64_MAX, true},
	{"bandwidth-out-bps", "bandwidth_out_bps", 0, INT64_MAX, true},
	{"new-connections-per-sec", "new_connections_per_sec", 0, UINT32_MAX, true},
	{"concurrent-connections", "concurrent_connections", 0, UINT32_MAX, true},
	{"bandwidth-in-burst", "bandwidth_in_burst", 0, INT64_MAX, true},
	{"bandwidth-out-burst", "bandwidth_out_burst", 0, INT64_MAX, true},
	{"new-connections-burst", "new_connections_burst", 0, UINT32_MAX, true},
};

static int add_numbers(const struct cli_args *a, json_t *body)
{
	json_t *limit = NULL;

	for (size_t i = 0; i < sizeof(number_options) / sizeof(number_options[0]); i++) {
		const struct number_option *o = &number_options[i];
		const char *text = args_option(a, o->option);
		unsigned long long n;

		if (!text)
			continue;
		if (!parse_u64(text, o->min, o->max, &n)) {
			/* The one that is a number of the wrong size and has a code of its own. */
			if (o->max == 3600 && parse_u64(text, 0, UINT64_MAX, &n)) {
				json_decref(limit);
				return cli_error(EXIT_INVALID, "health_check_interval_out_of_range",
						 "1 to 3600");
			}
			json_decref(limit);
			return usage_error(a, "invalid value '%s' for '--%s'", text, o->option);
		}
		if (o->limit && !limit)
			limit = json_object();
		json_object_set_new(o->limit ? limit : body, o->key, json_integer((json_int_t)n));
	}
	if (limit)
		json_object_set_new(body, "rate_limit", limit);
	return EXIT_OK;
}

static int add_words(const struct cli_args *a, json_t *body)
{
	const char *protocol = args_option(a, "protocol"), *sni = args_option(a, "sni");
	const char *address = args_option(a, "listen-address");
	bool udp = protocol && !strcasecmp(protocol, "udp");

	if (sni && *sni && (udp || json_object_get(body, "listen_port_end")))
		return usage_error(a, "'--sni' needs TCP and a single port");
	if (protocol)
		json_object_set_new(body, "protocol", json_string(protocol));
	if (sni && *sni)
		json_object_set_new(body, "sni_pattern", json_string(sni));
	if (address)
		json_object_set_new(body, "listen_address", json_string(address));
	if (args_flag(a, "prefer-ipv6"))
		json_object_set_new(body, "prefer_ipv6", json_true());
	return EXIT_OK;
}

static int make_body(struct cli_args *a, json_t *body)
{
	unsigned long long start, end;
	int rc;

	if (!parse_listen(a->positional[1], &start, &end))
		return cli_error(EXIT_INVALID, "range_invalid",
				 "'%s' is neither a port nor a range of ports", a->positional[1]);
	json_object_set_new(body, "client", json_string(a->positional[0]));
	json_object_set_new(body, "listen_port", json_integer((json_int_t)start));
	if (end)
		json_object_set_new(body, "listen_port_end", json_integer((json_int_t)end));
	rc = check_shape(a);
	if (!rc)
		rc = has_targets(a) ? add_targets(a, body) : add_legacy(a, body);
	if (!rc)
		rc = add_numbers(a, body);
	return rc ? rc : add_words(a, body);
}

int verb_push_rule(struct cli_args *a)
{
	json_t *body = json_object(), *answer = NULL;
	int rc = make_body(a, body);

	if (rc) {
		json_decref(body);
		return rc;
	}
	rc = api_call(a, VIA_API, "POST", "/v1/rules", body, &answer);
	if (rc)
		return rc;
	if (args_json(a))
		print_json(answer);
	else
		printf("%lld\n", number_of(answer, "rule_id"));
	json_decref(answer);
	return EXIT_OK;
}

int verb_remove_rule(struct cli_args *a)
{
	unsigned long long id;
	char target[64];

	if (!parse_u64(a->positional[0], 0, UINT64_MAX, &id))
		return usage_error(a, "invalid value '%s' for RULE_ID", a->positional[0]);
	snprintf(target, sizeof(target), "/v1/rules/%llu", id);
	return api_call(a, VIA_API, "DELETE", target, NULL, NULL);
}

static void print_rule(const int *widths, const json_t *r)
{
	const json_t *targets = json_object_get(r, "targets"), *state = json_object_get(r, "state");
	size_t n = json_array_size(targets);
	char id[24], port[24], target[300], full_state[200];

	snprintf(id, sizeof(id), "%lld", number_of(r, "id"));
	if (json_object_get(r, "listen_port_end"))
		snprintf(port, sizeof(port), "%lld-%lld", number_of(r, "listen_port"),
			 number_of(r, "listen_port_end"));
	else
		snprintf(port, sizeof(port), "%lld", number_of(r, "listen_port"));
	snprintf(target, sizeof(target), "%s:%lld", text_of(r, "target_host", "-"),
		 number_of(r, "target_port"));
	if (n > 1)
		snprintf(target + strlen(target), sizeof(target) - strlen(target), " (+%zu)",
			 n - 1);
	snprintf(full_state, sizeof(full_state), "%s%s%s", text_of(state, "kind", "-"),
		 json_object_get(state, "reason") ? ":" : "", text_of(state, "reason", ""));
	table_line(widths,
		   (const char *const[]){id, text_of(r, "client_name", "-"), port, target,
					 text_of(r, "sni_pattern", "-"), "-", full_state},
		   7);
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
	static const int widths[] = {6, 20, 6, 32, 24, 18, 10};
	static const char *const header[] = {"ID",	  "CLIENT", "PORT", "TARGET",
					     "SNI/PROXY", "CAPS",   "STATE"};
	const char *client = args_option(a, "client");
	char *encoded = client ? url_encode(client) : NULL, target[900];
	json_t *rules = NULL, *r;
	size_t i;
	int rc;

	snprintf(target, sizeof(target), "/v1/rules%s%s", encoded ? "?client=" : "",
		 encoded ? encoded : "");
	free(encoded);
	rc = api_call(a, VIA_API, "GET", target, NULL, &rules);
	if (rc)
		return rc;
	if (args_json(a)) {
		drop_health(rules);
		print_json(rules);
	} else {
		table_line(widths, header, 7);
		json_array_foreach (rules, i, r)
			print_rule(widths, r);
	}
	json_decref(rules);
	return EXIT_OK;
}
