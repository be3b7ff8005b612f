// SPDX-License-Identifier: MIT
/* The body of a push or an update, made of the command line. */
#include "cli/rule_body.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/cap_options.h"
#include "lib/rule/lists.h"
#include "lib/rule/number.h"
#include "lib/rule/rule.h"
#include "lib/rule/words.h"

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

/* A word behind a target's address: of one for all ports of a range, the port that its checks connect to, the
 * version of a header, or what that says besides. The server knows which other words there are. */
static bool add_word(json_t *target, const char *word)
{
	static const char check[] = "check=";
	unsigned long long port;

	if (!strncmp(word, check, sizeof(check) - 1)) {
		if (!parse_u64(word + sizeof(check) - 1, 1, UINT16_MAX, &port))
			return false;
		json_object_set_new(target, "health_check_port", json_integer((json_int_t)port));
		return true;
	}
	if (!strcmp(word, "same-port"))
		json_object_set_new(target, "same_port", json_true());
	else if (!json_object_get(target, "proxy_protocol"))
		json_object_set_new(target, "proxy_protocol", json_string(word));
	else
		json_object_set_new(target, "proxy_protocol_tlvs", json_pack("[s]", word));
	return true;
}

/* host:port[@priority][*weight][+word[=port]]… as a target of the body, or NULL. */
static json_t *parse_target(const char *text)
{
	char spec[300], host[270], *words, *word, *star, *at;
	unsigned long long port, priority, weight;
	const char *ports;
	json_t *o;

	if (strlen(text) >= sizeof(spec))
		return NULL;
	strcpy(spec, text);
	words = strchr(spec, '+');
	if (words)
		*words++ = '\0';
	star = strrchr(spec, '*');
	if (star)
		*star++ = '\0';
	at = strrchr(spec, '@');
	if (at)
		*at++ = '\0';
	if ((star && !parse_u64(star, 1, RULE_WEIGHT_MAX, &weight)) ||
	    (at && !parse_u64(at, 0, UINT32_MAX, &priority)) ||
	    !split_target(spec, host, sizeof(host), &ports) || !parse_u64(ports, 1, 65535, &port))
		return NULL;
	o = json_pack("{s:s,s:I}", "host", host, "port", (json_int_t)port);
	if (o && at)
		json_object_set_new(o, "priority", json_integer((json_int_t)priority));
	if (o && star)
		json_object_set_new(o, "weight", json_integer((json_int_t)weight));
	while (o && (word = strsep(&words, "+"))) {
		if (add_word(o, word))
			continue;
		json_decref(o);
		return NULL;
	}
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
		return cli_error(a, EXIT_INVALID, "rule_shape_conflict",
				 "give either HOST:PORT or --target/--targets-json");
	if (!positional && !has_targets(a))
		return cli_error(a, EXIT_INVALID, "rule_shape_missing",
				 "give HOST:PORT, --target or --targets-json");
	return EXIT_OK;
}

static int add_targets(const struct cli_args *a, json_t *body)
{
	const char *text = args_option(a, "targets-json");
	json_t *list = text ? json_loads(text, 0, NULL) : json_array();

	if (!json_is_array(list)) {
		json_decref(list);
		return cli_error(a, EXIT_INVALID, "invalid_json",
				 "--targets-json is not a JSON array");
	}
	for (int i = 0; i < a->n_options; i++) {
		json_t *target;

		if (strcmp(a->options[i].name, "target"))
			continue;
		target = parse_target(a->options[i].value);
		if (!target) {
			json_decref(list);
			return cli_error(
				a, EXIT_INVALID, "invalid_target",
				"'%s' is not host:port[@priority][*weight][+v1|+v2[+unique_id]][+check=port][+same-port]",
				a->options[i].value);
		}
		json_array_append_new(list, target);
	}
	json_object_set_new(body, "targets", list);
	return EXIT_OK;
}

/* The positional target, which may have a range of ports. */
static int add_legacy(const struct cli_args *a, const char *text, json_t *body)
{
	unsigned long long start, end;
	const char *ports, *wrong, *suffix;
	char host[270], code[64];

	if (!split_target(text, host, sizeof(host), &ports) || !parse_listen(ports, &start, &end))
		return cli_error(a, EXIT_INVALID, "invalid_target", "'%s' is not host:port", text);
	wrong = rule_check_target_host(host, &suffix);
	if (wrong) {
		snprintf(code, sizeof(code), "invalid_target_host%s", suffix);
		return cli_error(a, EXIT_INVALID, code, "%s", wrong);
	}
	json_object_set_new(body, "target_host", json_string(host));
	json_object_set_new(body, "target_port", json_integer((json_int_t)start));
	if (end)
		json_object_set_new(body, "target_port_end", json_integer((json_int_t)end));
	return EXIT_OK;
}

/* Whether an option sets that key: "source-address" is "source_address". */
static bool same_option(const char *option, const char *key)
{
	for (; *option && (*option == *key || (*option == '-' && *key == '_')); option++)
		key++;
	return !*option && !*key;
}

struct number_option {
	const char *option, *key;
	unsigned long long min, max;
};

static const struct number_option number_options[] = {
	{"ack-timeout", "ack_timeout_secs", 0, INT64_MAX},
	{"health-check-interval-secs", "health_check_interval_secs", 1, 3600},
	{"connect-timeout-ms", "connect_timeout_ms", 0, UINT32_MAX},
	{"hedge-delay-ms", "hedge_delay_ms", 0, UINT32_MAX},
	{"idle-timeout-secs", "idle_timeout_secs", 0, UINT32_MAX},
	{"half-close-timeout-secs", "half_close_timeout_secs", 0, UINT32_MAX},
	{"udp-flow-idle-secs", "udp_flow_idle_secs", 0, UINT32_MAX},
	{"udp-max-flows", "udp_max_flows", 0, UINT32_MAX},
	{"udp-reply-timeout-ms", "udp_reply_timeout_ms", 0, UINT32_MAX},
};

/* An empty number takes the old one away. */
static int add_numbers(const struct cli_args *a, json_t *body)
{
	for (size_t i = 0; i < sizeof(number_options) / sizeof(number_options[0]); i++) {
		const struct number_option *o = &number_options[i];
		const char *text = args_option(a, o->option);
		unsigned long long n;

		if (!text)
			continue;
		if (!*text) {
			json_object_del(body, o->key);
			continue;
		}
		if (!parse_u64(text, o->min, o->max, &n)) {
			/* The one that is a number of the wrong size and has a code of its own. */
			if (o->max == 3600 && parse_u64(text, 0, UINT64_MAX, &n)) {
				return cli_error(a, EXIT_INVALID,
						 "health_check_interval_out_of_range", "1 to 3600");
			}
			return usage_error(a, "invalid value '%s' for '--%s'", text, o->option);
		}
		json_object_set_new(body, o->key, json_integer((json_int_t)n));
	}
	return EXIT_OK;
}

/* Beside those that the rule has. */
static int add_caps(const struct cli_args *a, json_t *body)
{
	int rc;

	if (!cap_options_given(a))
		return EXIT_OK;
	if (!json_object_get(body, "rate_limit"))
		json_object_set_new(body, "rate_limit", json_object());
	rc = cap_options(a, json_object_get(body, "rate_limit"), NULL);
	if (!json_object_size(json_object_get(body, "rate_limit")))
		json_object_del(body, "rate_limit");
	return rc;
}

/* Each list that is given takes the place of the old one; a single empty value takes it away. */
static void add_lists(const struct cli_args *a, json_t *body)
{
	for (size_t k = 0; k < RULE_LISTS; k++) {
		const char *key = rule_lists[k].name;
		json_t *list = json_array();

		for (int i = 0; i < a->n_options; i++)
			if (same_option(a->options[i].name, key) && *a->options[i].value)
				json_array_append_new(list, json_string(a->options[i].value));
		for (int i = 0; i < a->n_options; i++)
			if (same_option(a->options[i].name, key))
				json_object_set(body, key,
						json_array_size(list) ? list : json_null());
		json_decref(list);
	}
}

/* The words of a rule; an empty one takes the old one away. */
static void add_rule_words(const struct cli_args *a, json_t *body)
{
	for (size_t k = 0; k < RULE_WORDS; k++)
		for (int i = 0; i < a->n_options; i++)
			if (same_option(a->options[i].name, rule_words[k].name))
				json_object_set_new(body, rule_words[k].name,
						    *a->options[i].value
							    ? json_string(a->options[i].value)
							    : json_null());
}

static int add_words(const struct cli_args *a, json_t *body)
{
	const char *protocol = args_option(a, "protocol"), *sni = args_option(a, "sni");
	const char *non_tls = args_option(a, "fallback-non-tls");
	const char *address = args_option(a, "listen-address");
	const char *accept = args_option(a, "accept-proxy");
	const char *relay = args_option(a, "relay");
	bool udp = protocol && !strcasecmp(protocol, "udp");

	if (sni && *sni && (udp || json_object_get(body, "listen_port_end")))
		return cli_error(a, EXIT_INVALID, "validation.sni_on_unsupported_rule",
				 "'--sni' needs TCP and a single port");
	if (non_tls && strcmp(non_tls, "true") && strcmp(non_tls, "false"))
		return usage_error(a, "invalid value '%s' for '--fallback-non-tls'", non_tls);
	if (protocol)
		json_object_set_new(body, "protocol", json_string(protocol));
	/* Blank is none, also for a rule that has one. */
	if (sni)
		json_object_set_new(body, "sni_pattern", *sni ? json_string(sni) : json_null());
	if (non_tls)
		json_object_set_new(body, "fallback_non_tls", json_boolean(*non_tls == 't'));
	if (address)
		json_object_set_new(body, "listen_address",
				    *address ? json_string(address) : json_null());
	add_rule_words(a, body);
	if (accept)
		json_object_set_new(body, "accept_proxy", json_string(accept));
	if (accept && !strcmp(accept, "off"))
		json_object_del(body, "accept_proxy_from");
	if (args_flag(a, "health-check-proxy"))
		json_object_set_new(body, "health_check_proxy", json_true());
	if (args_flag(a, "no-health-check-proxy"))
		json_object_del(body, "health_check_proxy");
	if (relay)
		json_object_set_new(body, "relay", *relay ? json_string(relay) : json_null());
	if (args_flag(a, "prefer-ipv6"))
		json_object_set_new(body, "prefer_ipv6", json_true());
	if (args_flag(a, "no-prefer-ipv6"))
		json_object_del(body, "prefer_ipv6");
	return EXIT_OK;
}

/* "5/10/30", or "off". */
static int add_eject(const struct cli_args *a, json_t *body)
{
	static const char *const names[] = {"resets", "window_secs", "for_secs"};
	const char *text = args_option(a, "eject");
	char spec[64], *part, *save = NULL;
	json_t *eject;

	if (!text)
		return EXIT_OK;
	json_object_del(body, "eject");
	if (!strcmp(text, "off"))
		return EXIT_OK;
	eject = json_object();
	snprintf(spec, sizeof(spec), "%s", text);
	part = strtok_r(spec, "/", &save);
	for (size_t i = 0; i < 3; i++, part = strtok_r(NULL, "/", &save)) {
		unsigned long long n;

		if (!part || !parse_u64(part, 0, UINT32_MAX, &n))
			break;
		json_object_set_new(eject, names[i], json_integer((json_int_t)n));
	}
	if (json_object_size(eject) < 3 || part || strlen(text) >= sizeof(spec)) {
		json_decref(eject);
		return usage_error(a, "invalid value '%s' for '--eject'", text);
	}
	json_object_set_new(body, "eject", eject);
	return EXIT_OK;
}

/* An empty text takes the old one away. */
static void set_text(json_t *o, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(o, key, json_string(text));
	else if (text)
		json_object_del(o, key);
}

/* What checks say; what is not given stays as it was. */
static int add_health_check(const struct cli_args *a, json_t *body)
{
	const char *send = args_option(a, "health-check-send");
	const char *expect = args_option(a, "health-check-expect");
	const char *port = args_option(a, "health-check-port");
	bool tls = args_flag(a, "health-check-tls"), plain = args_flag(a, "no-health-check-tls");
	json_t *talk = json_object_get(body, "health_check");
	unsigned long long n = 0;

	if (!send && !expect && !port && !tls && !plain)
		return EXIT_OK;
	if (port && *port && !parse_u64(port, 0, UINT16_MAX, &n))
		return usage_error(a, "invalid value '%s' for '--health-check-port'", port);
	talk = talk ? json_copy(talk) : json_object();
	set_text(talk, "send", send);
	set_text(talk, "expect", expect);
	if (tls)
		json_object_set_new(talk, "tls", json_true());
	if (plain)
		json_object_del(talk, "tls");
	if (port && *port)
		json_object_set_new(talk, "port", json_integer((json_int_t)n));
	else if (port)
		json_object_del(talk, "port");
	if (json_object_size(talk))
		json_object_set(body, "health_check", talk);
	else
		json_object_del(body, "health_check");
	json_decref(talk);
	return EXIT_OK;
}

/* The words that the server checks. */
static int add_balance(const struct cli_args *a, json_t *body)
{
	static const struct {
		const char *option, *key;
	} words[] = {
		{"balance", "balance"},
		{"on-failure", "on_failure"},
		{"failback", "failback"},
	};
	int rc = add_eject(a, body);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char *text = args_option(a, words[i].option);

		if (text)
			json_object_set_new(body, words[i].key, json_string(text));
	}
	return rc ? rc : add_health_check(a, body);
}

int rule_body_of_push(const struct cli_args *a, json_t *body)
{
	unsigned long long start, end;
	int rc;

	if (!parse_listen(a->positional[1], &start, &end))
		return cli_error(a, EXIT_INVALID, "range_invalid",
				 "'%s' is neither a port nor a range of ports", a->positional[1]);
	json_object_set_new(body, "client", json_string(a->positional[0]));
	json_object_set_new(body, "listen_port", json_integer((json_int_t)start));
	if (end)
		json_object_set_new(body, "listen_port_end", json_integer((json_int_t)end));
	rc = check_shape(a);
	if (!rc)
		rc = has_targets(a) ? add_targets(a, body) : add_legacy(a, a->positional[2], body);
	if (!rc)
		rc = add_numbers(a, body);
	if (!rc)
		rc = add_caps(a, body);
	add_lists(a, body);
	if (!rc)
		rc = add_balance(a, body);
	return rc ? rc : add_words(a, body);
}

static void copy_members(json_t *to, const json_t *from, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(from, keys[i]);

		if (value && !json_is_null(value))
			json_object_set(to, keys[i], value);
	}
}

/* Whether a target that is alone needs the list all the same: only there is a place for what it says. */
static bool is_list_only(const json_t *target)
{
	return json_is_string(json_object_get(target, "proxy_protocol")) ||
	       json_is_true(json_object_get(target, "same_port")) ||
	       json_is_integer(json_object_get(target, "health_check_port")) ||
	       json_is_integer(json_object_get(target, "weight")) ||
	       json_integer_value(json_object_get(target, "priority"));
}

/* What a rule is made of, among what its row says. */
json_t *rule_body_of_row(const json_t *row)
{
	static const char *const keys[] = {"listen_port",
					   "listen_port_end",
					   "listen_address",
					   "protocol",
					   "prefer_ipv6",
					   "sni_pattern",
					   "rate_limit",
					   "balance",
					   "eject",
					   "health_check",
					   "on_failure",
					   "failback",
					   "health_check_proxy",
					   "fallback_non_tls",
					   "accept_proxy",
					   "relay"};
	static const char *const single[] = {"target_host", "target_port", "target_port_end"};
	static const char *const target_keys[] = {
		"host",	  "port",      "priority",	    "proxy_protocol",
		"weight", "same_port", "health_check_port", "proxy_protocol_tlvs"};
	const json_t *rows = json_object_get(row, "targets"), *t;
	json_t *body = json_object(), *list = json_array();
	size_t i;

	json_object_set(body, "client", json_object_get(row, "client_name"));
	copy_members(body, row, keys, sizeof(keys) / sizeof(keys[0]));
	for (i = 0; i < RULE_NUMBERS; i++)
		copy_members(body, row, &rule_numbers[i].name, 1);
	for (i = 0; i < RULE_WORDS; i++)
		copy_members(body, row, &rule_words[i].name, 1);
	for (i = 0; i < RULE_LISTS; i++)
		copy_members(body, row, &rule_lists[i].name, 1);
	/* In the older shape a target has no place for more than host and port. */
	if (json_array_size(rows) < 2 && !is_list_only(json_array_get(rows, 0))) {
		copy_members(body, row, single, sizeof(single) / sizeof(single[0]));
		json_decref(list);
		return body;
	}
	json_array_foreach (rows, i, t) {
		json_t *target = json_object();

		copy_members(target, t, target_keys, sizeof(target_keys) / sizeof(target_keys[0]));
		json_array_append_new(list, target);
	}
	json_object_set_new(body, "targets", list);
	return body;
}

static void move_port(json_t *o, const char *key, long long by)
{
	json_object_set_new(o, key, json_integer(json_integer_value(json_object_get(o, key)) + by));
}

/* Other ports, where --listen says so: those that stay lead to where they did. */
static int change_listen(const struct cli_args *a, json_t *body)
{
	const char *text = args_option(a, "listen");
	unsigned long long start, end;
	long long by;
	json_t *t;
	size_t i;

	if (!text)
		return EXIT_OK;
	if (!parse_listen(text, &start, &end))
		return cli_error(a, EXIT_INVALID, "range_invalid",
				 "'%s' is neither a port nor a range of ports", text);
	by = (long long)start - json_integer_value(json_object_get(body, "listen_port"));
	json_object_set_new(body, "listen_port", json_integer((json_int_t)start));
	json_object_del(body, "listen_port_end");
	json_object_del(body, "target_port_end");
	if (end)
		json_object_set_new(body, "listen_port_end", json_integer((json_int_t)end));
	json_array_foreach (json_object_get(body, "targets"), i, t)
		if (!json_is_true(json_object_get(t, "same_port")))
			move_port(t, "port", by);
	if (!json_object_get(body, "target_port"))
		return EXIT_OK;
	move_port(body, "target_port", by);
	if (end) {
		json_object_set(body, "target_port_end", json_object_get(body, "target_port"));
		move_port(body, "target_port_end", (long long)(end - start));
	}
	return EXIT_OK;
}

int rule_body_change(const struct cli_args *a, json_t *body)
{
	bool positional = a->n_positional > 1;
	int rc = change_listen(a, body);

	if (rc)
		return rc;
	if (args_flag(a, "target") && args_flag(a, "targets-json"))
		return usage_error(a, "'--target' cannot be used with '--targets-json'");
	if (positional && has_targets(a))
		return cli_error(a, EXIT_INVALID, "rule_shape_conflict",
				 "give either HOST:PORT or --target/--targets-json");
	if (positional || has_targets(a)) {
		json_object_del(body, "targets");
		json_object_del(body, "target_host");
		json_object_del(body, "target_port");
		json_object_del(body, "target_port_end");
		rc = positional ? add_legacy(a, a->positional[1], body) : add_targets(a, body);
	}
	if (args_flag(a, "no-caps"))
		json_object_del(body, "rate_limit");
	if (args_flag(a, "no-health-check")) {
		json_object_del(body, "health_check_interval_secs");
		json_object_del(body, "health_check");
	}
	if (!rc)
		rc = add_numbers(a, body);
	if (!rc)
		rc = add_caps(a, body);
	add_lists(a, body);
	if (!rc)
		rc = add_balance(a, body);
	return rc ? rc : add_words(a, body);
}
