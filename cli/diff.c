// SPDX-License-Identifier: MIT
/* What makes one rule another, key by key. */
#include "cli/diff.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rule/rule.h"

static const char *const target_keys[] = {"targets", "target_host", "target_port",
					  "target_port_end"};
#define N_TARGET_KEYS (sizeof(target_keys) / sizeof(target_keys[0]))

static bool is_of_targets(const char *key)
{
	for (size_t i = 0; i < N_TARGET_KEYS; i++)
		if (!strcmp(key, target_keys[i]))
			return true;
	return false;
}

/* Gives @body the @key of @from, or none; the targets in whichever shape they are. */
static void take(json_t *body, const char *key, const json_t *from)
{
	const char *const *keys = &key;
	size_t n = 1;

	if (is_of_targets(key)) {
		keys = target_keys;
		n = N_TARGET_KEYS;
	}
	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(from, keys[i]);

		json_object_del(body, keys[i]);
		if (value)
			json_object_set(body, keys[i], value);
	}
}

/* Whether the rule @was becomes another with this one key of @is. */
static bool matters(const json_t *was, const json_t *is, const char *key)
{
	json_t *mixed = json_copy((json_t *)was);
	struct rule_error err;
	struct rule *old = rule_parse_push(was, &err), *new;
	bool differs;

	take(mixed, key, is);
	new = rule_parse_push(mixed, &err);
	/* What is no rule by itself, as with a key that another one needs, is told. */
	differs = !old || !new || !rule_equal_kept(old, new);
	rule_free(old);
	rule_free(new);
	json_decref(mixed);
	return differs;
}

/* The targets as a list, whichever shape they have. */
static json_t *targets_of(const json_t *body)
{
	json_t *list = json_object_get(body, "targets"), *one;

	if (list)
		return json_incref(list);
	one = json_pack("{s:O?, s:O?}", "host", json_object_get(body, "target_host"), "port",
			json_object_get(body, "target_port"));
	if (json_object_get(body, "target_port_end"))
		json_object_set(one, "port_end", json_object_get(body, "target_port_end"));
	return json_pack("[o]", one);
}

static json_t *value_of(const json_t *body, const char *key)
{
	json_t *value = json_object_get(body, key);

	return value ? json_incref(value) : json_null();
}

static void note_key(json_t *diff, const json_t *was, const json_t *is, const char *key)
{
	const char *name = is_of_targets(key) ? "targets" : key;

	if (json_object_get(diff, name) || !matters(was, is, key))
		return;
	if (is_of_targets(key))
		json_object_set_new(diff, name,
				    json_pack("[o,o]", targets_of(was), targets_of(is)));
	else
		json_object_set_new(diff, name,
				    json_pack("[o,o]", value_of(was, key), value_of(is, key)));
}

json_t *rule_diff(const json_t *was, const json_t *is)
{
	json_t *diff = json_object(), *value;
	const char *key;

	json_object_foreach ((json_t *)was, key, value)
		note_key(diff, was, is, key);
	json_object_foreach ((json_t *)is, key, value)
		note_key(diff, was, is, key);
	return diff;
}

/* ---- for people ---- */

static bool is_plain_target(const json_t *t)
{
	return json_object_size(t) == 2 && json_is_string(json_object_get(t, "host")) &&
	       json_is_integer(json_object_get(t, "port"));
}

static void print_value(char sign, const char *key, const json_t *value)
{
	const json_t *t;
	char *text;
	size_t i;

	if (json_is_null(value))
		return;
	printf("  %c %s:", sign, key);
	if (!strcmp(key, "targets")) {
		json_array_foreach (value, i, t) {
			text = is_plain_target(t) ? NULL : json_dumps(t, JSON_COMPACT);
			if (text)
				printf(" %s", text);
			else
				printf(" %s:%lld", json_string_value(json_object_get(t, "host")),
				       (long long)json_integer_value(json_object_get(t, "port")));
			free(text);
		}
	} else {
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		printf(" %s", text ? text : "");
		free(text);
	}
	putchar('\n');
}

void rule_diff_print(const json_t *diff)
{
	const char *key;
	json_t *pair;

	json_object_foreach ((json_t *)diff, key, pair) {
		print_value('-', key, json_array_get(pair, 0));
		print_value('+', key, json_array_get(pair, 1));
	}
}
