// SPDX-License-Identifier: MIT
/* A [[rule]] of the file as the JSON object that the one validator reads, and the way back to its place. */
#include "standalone/convert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/toml.h"
#include "standalone/problems.h"
#include "standalone/settings.h"
#include "standalone/span_text.h"

/* ---- values ---- */

static json_t *convert_value(const struct rule_source *s, const struct toml_value *v);

static json_t *convert_table(const struct rule_source *s, const struct toml_value *v)
{
	json_t *o = json_object();

	for (size_t i = 0; o && i < v->n; i++) {
		json_t *value = convert_value(s, &v->child[i]);

		if (!value || json_object_set_new(o, v->child[i].key, value)) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

static json_t *convert_array(const struct rule_source *s, const struct toml_value *v)
{
	json_t *a = json_array();

	for (size_t i = 0; a && i < v->n; i++) {
		if (json_array_append_new(a, convert_value(s, &v->child[i]))) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

/* NULL with an error among the problems, or for memory. */
static json_t *convert_value(const struct rule_source *s, const struct toml_value *v)
{
	switch (v->type) {
	case TOML_STRING:
		return json_stringn(v->string, v->len);
	case TOML_INTEGER:
		return json_integer(v->integer);
	case TOML_FLOAT:
		/* NaN and infinity are no JSON; no key of a rule takes a number with a point anyway. */
		return json_real(v->number - v->number == 0 ? v->number : 0.5);
	case TOML_BOOLEAN:
		return json_boolean(v->boolean);
	case TOML_ARRAY:
		return convert_array(s, v);
	case TOML_TABLE:
		return convert_table(s, v);
	case TOML_TIME:
		break;
	}
	problem_error(s->problems, v, "invalid_body", "%s%s%s: a date or a time is no value here",
		      s->prefix, v->key ? "." : "", v->key ? v->key : "");
	return NULL;
}

/* ---- keys of the file that are others in JSON ---- */

static void put(json_t *o, const char *key, json_t *value)
{
	json_object_set_new(o, key, value);
}

/* A string, or NULL with an error. */
static const char *text_of(const struct rule_source *s, const struct toml_value *v)
{
	if (v->type == TOML_STRING && strlen(v->string) == v->len)
		return v->string;
	problem_error(s->problems, v, "invalid_body", "%s.%s: must be a string", s->prefix, v->key);
	return NULL;
}

static int listen_side(const struct rule_source *s, json_t *o, struct port_span *listen)
{
	const struct toml_value *one = toml_find(s->table, "listen_port"),
				*many = toml_find(s->table, "listen_ports");
	const char *text;

	if (!one == !many) {
		problem_error(s->problems, one ? many : s->table, "range_invalid",
			      "%s: give exactly one of listen_port and listen_ports", s->prefix);
		return -EINVAL;
	}
	if (one) {
		listen->first = listen->last = one->type == TOML_INTEGER && one->integer > 0
						       ? (unsigned)one->integer
						       : 0;
		put(o, "listen_port", convert_value(s, one));
		return 0;
	}
	text = text_of(s, many);
	if (!text)
		return -EINVAL;
	if (!span_parse(text, listen)) {
		problem_error(s->problems, many, "range_invalid",
			      "%s.listen_ports: must be \"FIRST-LAST\" or one port, 1..65535",
			      s->prefix);
		return -EINVAL;
	}
	put(o, "listen_port", json_integer(listen->first));
	if (listen->last > listen->first)
		put(o, "listen_port_end", json_integer(listen->last));
	return 0;
}

/* "host:port" and "host:first-last". */
static int single_target(const struct rule_source *s, const struct toml_value *v,
			 const struct port_span *listen, json_t *o)
{
	const char *text = text_of(s, v), *colon = text ? strrchr(text, ':') : NULL;
	struct port_span to;

	if (!text)
		return -EINVAL;
	if (!colon || !span_parse(colon + 1, &to)) {
		problem_error(s->problems, v, "range_invalid",
			      "%s.target: must be \"HOST:PORT\" or \"HOST:FIRST-LAST\"", s->prefix);
		return -EINVAL;
	}
	if (to.last - to.first != listen->last - listen->first) {
		problem_error(s->problems, v, "range_invalid",
			      "%s.target: has %u ports, and the listening side %u", s->prefix,
			      to.last - to.first + 1, listen->last - listen->first + 1);
		return -EINVAL;
	}
	put(o, "target_host", json_stringn(text, (size_t)(colon - text)));
	put(o, "target_port", json_integer(to.first));
	if (to.last > to.first)
		put(o, "target_port_end", json_integer(to.last));
	return 0;
}

/* A row of targets: with a priority even where it says none, and IPv6 addresses in brackets. */
static void complete_target(json_t *target)
{
	const char *host = json_string_value(json_object_get(target, "host"));
	struct in6_addr ignored;
	char bracketed[64];

	if (!json_is_object(target))
		return;
	if (!json_object_get(target, "priority"))
		put(target, "priority", json_integer(0));
	if (host && inet_pton(AF_INET6, host, &ignored) == 1) {
		snprintf(bracketed, sizeof(bracketed), "[%s]", host);
		put(target, "host", json_string(bracketed));
	}
}

static void warn_of_order(const struct rule_source *s, const struct toml_value *v,
			  const json_t *targets)
{
	json_int_t before = 0, priority;
	const json_t *target;
	size_t i;

	json_array_foreach (targets, i, target) {
		priority = json_integer_value(json_object_get(target, "priority"));
		if (i && priority < before) {
			problem_warning(s->problems, v, "priority_order",
					"%s.targets: the priorities decide, not the order of the "
					"rows; the row with the lowest one comes first",
					s->prefix);
			return;
		}
		before = priority;
	}
}

static int target_side(const struct rule_source *s, json_t *o, const struct port_span *listen)
{
	const struct toml_value *one = toml_find(s->table, "target"),
				*many = toml_find(s->table, "targets");
	json_t *targets, *target;
	size_t i;

	if (!one == !many) {
		problem_error(s->problems, one ? many : s->table,
			      one ? "rule_shape_conflict" : "rule_shape_missing",
			      "%s: give exactly one of target and targets", s->prefix);
		return -EINVAL;
	}
	if (one)
		return single_target(s, one, listen, o);
	targets = convert_value(s, many);
	if (!targets)
		return -EINVAL;
	json_array_foreach (targets, i, target)
		complete_target(target);
	if (json_is_array(targets))
		warn_of_order(s, many, targets);
	put(o, "targets", targets);
	return 0;
}

/* ---- the rule ---- */

static bool is_udp(const json_t *o)
{
	const char *protocol = json_string_value(json_object_get(o, "protocol"));

	return protocol && !strcmp(protocol, "udp");
}

/* How many flows there may be is nothing that a TCP rule could be refused for; 0 stands for the default. */
static void settle_udp(const struct rule_source *s, json_t *o)
{
	static const char *const keys[] = {"udp_max_flows", "udp_flow_idle_secs"};

	for (size_t i = 0; i < 2; i++) {
		const json_t *value = json_object_get(o, keys[i]);

		if (!json_is_integer(value))
			continue;
		if (!is_udp(o))
			problem_warning(s->problems, toml_find(s->table, keys[i]),
					"option_conflict",
					"%s.%s: means nothing with protocol \"tcp\"", s->prefix,
					keys[i]);
		if (!is_udp(o) || !json_integer_value(value))
			json_object_del(o, keys[i]);
	}
}

static void put_defaults(const struct rule_source *s, json_t *o)
{
	for (size_t i = 0; s->defaults && i < n_default_keys; i++) {
		const struct default_key *d = &default_keys[i];
		const struct toml_value *v = toml_find(s->defaults, d->name);

		if (!v || (int)v->type != d->type || json_object_get(o, d->name) ||
		    !(is_udp(o) ? d->udp : d->tcp) || (d->zero_is_none && !v->integer))
			continue;
		put(o, d->name, convert_value(s, v));
	}
}

static void put_check_port(const struct rule_source *s, json_t *o, const struct toml_value *v)
{
	json_t *check = json_object_get(o, "health_check"), *value = convert_value(s, v);

	if (!check) {
		check = json_object();
		put(o, "health_check", check);
	}
	if (json_is_object(check))
		put(check, "port", value);
	else
		json_decref(value);
}

/* Keys of JSON that the file has others for are unknown here. */
static const char *const hidden[] = {"client",	    "ack_timeout_secs", "listen_port_end",
				     "target_host", "target_port",	"target_port_end",
				     "sni_pattern"};
static const char *const settled[] = {"name",	"enabled", "listen_port",	"listen_ports",
				      "target", "targets", "health_check_port", "sni"};

static bool among(const char *key, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(keys[i], key))
			return true;
	return false;
}

struct json_t *convert_rule(struct rule_source *s, bool *whole)
{
	const struct toml_value *check_port = toml_find(s->table, "health_check_port"),
				*sni = toml_find(s->table, "sni");
	struct port_span listen;
	json_t *o = json_object();
	bool bad;

	if (!o)
		return NULL;
	bad = listen_side(s, o, &listen);
	/* Of a rule that is wrong on both sides both errors are told. */
	if (!bad)
		bad = target_side(s, o, &listen);
	for (size_t i = 0; i < s->table->n; i++) {
		const struct toml_value *v = &s->table->child[i];
		json_t *value;

		if (among(v->key, settled, sizeof(settled) / sizeof(settled[0])))
			continue;
		if (among(v->key, hidden, sizeof(hidden) / sizeof(hidden[0]))) {
			settings_unknown(s->problems, v, s->prefix, settled,
					 sizeof(settled) / sizeof(settled[0]));
			bad = true;
			continue;
		}
		value = convert_value(s, v);
		bad |= !value || json_object_set_new(o, v->key, value);
	}
	if (!bad && check_port)
		put_check_port(s, o, check_port);
	if (!bad && sni)
		put(o, "sni_pattern", convert_value(s, sni));
	*whole = !bad;
	if (bad)
		return o;
	if (!json_object_get(o, "protocol") && s->defaults && toml_find(s->defaults, "protocol"))
		put(o, "protocol", convert_value(s, toml_find(s->defaults, "protocol")));
	settle_udp(s, o);
	put_defaults(s, o);
	return o;
}

/* ---- the way back ---- */

const char *convert_name(const struct rule_source *s, const char *path, size_t len)
{
	static const struct {
		const char *json, *toml;
	} names[] = {
		{"sni_pattern", "sni"},
		{"listen_port", "listen_ports"},
		{"listen_port_end", "listen_ports"},
		{"target_host", "target"},
		{"target_port", "target"},
		{"target_port_end", "target"},
		{"health_check", "health_check_port"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].json) == len && !strncmp(names[i].json, path, len) &&
		    toml_find(s->table, names[i].toml))
			return names[i].toml;
	return NULL;
}

/* The row in the file of what is in row @n of the JSON array now. */
static size_t row_of_file(const struct rule_source *s, size_t n)
{
	for (size_t i = s->n_dropped; i-- > 0;)
		n += s->dropped[i] <= n;
	return n;
}

static const struct toml_value *member(const struct toml_value *v, const char *path, size_t len)
{
	char key[64];

	if (v->type != TOML_TABLE || len >= sizeof(key))
		return NULL;
	memcpy(key, path, len);
	key[len] = '\0';
	return toml_find(v, key);
}

const struct toml_value *convert_place(const struct rule_source *s, const char *path)
{
	const struct toml_value *v = s->table, *next;
	size_t len = strcspn(path, ".[:"), row;
	const char *name = convert_name(s, path, len);

	if (name)
		return toml_find(v, name);
	next = member(v, path, len);
	if (!next && s->defaults)
		next = member(s->defaults, path, len);
	while (next) {
		v = next;
		path += len;
		next = NULL;
		if (*path == '[') {
			row = row_of_file(s, (size_t)strtoul(path + 1, NULL, 10));
			next = v->type == TOML_ARRAY && row < v->n ? &v->child[row] : NULL;
			len = strcspn(path, "]") + 1;
		} else if (*path == '.') {
			path++;
			len = strcspn(path, ".[:");
			next = member(v, path, len);
		}
	}
	return v;
}
