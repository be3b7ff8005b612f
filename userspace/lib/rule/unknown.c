// SPDX-License-Identifier: MIT
/* Keys that nobody knows, and those that were probably meant. */
#include "lib/base/near.h"
#include "lib/base/utf8.h"
#include "lib/rule/keys.h"
#include "lib/rule/lists.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void compare_all(struct near_search *s, const struct key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		near_try(s, keys[i].name);
}

/* Of a rule's own keys, those whose value holds more than one. */
static void compare_holders(struct near_search *s)
{
	for (size_t i = 0; i < RULE_LISTS; i++)
		near_try(s, rule_lists[i].name);
	for (size_t i = 0; i < RULE_NESTED; i++)
		near_try(s, rule_nested[i].name);
	near_try(s, "targets");
	near_try(s, "rate_limit");
}

/* Tells of what is neither in @keys nor, in a rule itself (without @prefix), one that holds more. */
static void tell_unknown(const json_t *object, const struct key *keys, size_t n, const char *prefix,
			 bool is_rule, rule_unknown_key *found, void *arg)
{
	const char *name;
	json_t *value;
	char path[96];

	json_object_foreach ((json_t *)object, name, value) {
		struct near_search s = {.word = name, .distance = NEAR_NONE};

		compare_all(&s, keys, n);
		if (is_rule)
			compare_holders(&s);
		if (!s.distance)
			continue;
		utf8_format(path, sizeof(path), "%s%s", prefix, name);
		found(arg, path, s.best);
	}
}

static void tell_unknown_caps(const json_t *limit, const char *prefix, rule_unknown_key *found,
			      void *arg)
{
	struct key keys[LIMIT_KEYS];

	rule_limit_keys(keys);
	tell_unknown(limit, keys, LIMIT_KEYS, prefix, false, found, arg);
}

void rate_limit_unknown_keys(const struct json_t *object, rule_unknown_key *found, void *arg)
{
	tell_unknown_caps(object, "", found, arg);
}

void rule_unknown_keys(const struct json_t *object, bool push, rule_unknown_key *found, void *arg)
{
	const json_t *targets = json_object_get(object, "targets");
	char prefix[32];

	tell_unknown(object, rule_keys + push, RULE_KEYS - push, "", true, found, arg);
	tell_unknown_caps(json_object_get(object, "rate_limit"), "rate_limit.", found, arg);
	for (size_t i = 0; i < RULE_NESTED; i++) {
		snprintf(prefix, sizeof(prefix), "%s.", rule_nested[i].name);
		tell_unknown(json_object_get(object, rule_nested[i].name), rule_nested[i].keys,
			     rule_nested[i].n, prefix, false, found, arg);
	}
	for (size_t i = 0; i < json_array_size(targets) && i < RULE_TARGETS_MAX; i++) {
		snprintf(prefix, sizeof(prefix), "targets[%zu].", i);
		tell_unknown(json_array_get(targets, i), rule_target_keys, TARGET_KEYS, prefix,
			     false, found, arg);
	}
}
