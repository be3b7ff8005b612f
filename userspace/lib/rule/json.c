// SPDX-License-Identifier: MIT
/* Rules as JSON objects in the shape of POST /v1/rules: reading (types only) and writing. */
#include "lib/base/utf8.h"
#include "lib/rule/check_limit.h"
#include "lib/rule/balance.h"
#include "lib/rule/draft.h"
#include "lib/rule/keys.h"
#include "lib/rule/lists.h"
#include "lib/rule/lists_draft.h"
#include "lib/rule/number.h"
#include "lib/rule/words.h"
#include "lib/rule/span.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static int refuse_body(const struct rule_draft *d, int row, const char *path, const char *name,
		       const char *text)
{
	char field[96];

	snprintf(field, sizeof(field), "%s%s%s", path, *path && *name ? "." : "", name);
	return rule_refuse(d, 422, "invalid_body", row, field, text);
}

static const struct {
	const char *word;
	enum rule_tlv bit;
} tlvs[] = {{"unique_id", RULE_TLV_UNIQUE_ID}, {"authority", RULE_TLV_AUTHORITY}};

/* False: it is no array of strings. */
static bool take_tlvs(const json_t *value, uint64_t *bits)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value))
		return false;
	*bits = 0;
	json_array_foreach (value, i, item) {
		size_t k = 0;

		if (!json_is_string(item))
			return false;
		while (k < sizeof(tlvs) / sizeof(tlvs[0]) &&
		       strcmp(tlvs[k].word, json_string_value(item)) != 0)
			k++;
		*bits |= k < sizeof(tlvs) / sizeof(tlvs[0]) ? tlvs[k].bit : TLV_UNKNOWN;
	}
	return true;
}

json_t *rule_tlvs_json(uint8_t bits)
{
	json_t *list = json_array();

	for (size_t k = 0; list && k < sizeof(tlvs) / sizeof(tlvs[0]); k++)
		if (bits & tlvs[k].bit)
			json_array_append_new(list, json_string(tlvs[k].word));
	return list;
}

/* Takes one value if it fits its type; returns NULL or what it has to be. */
static const char *take(const json_t *value, enum value_type type, struct draft_value *out)
{
	static const struct {
		int64_t max;
		const char *text;
	} integers[] = {
		[TYPE_U16] = {UINT16_MAX, "must be an integer 0..65535"},
		[TYPE_U32] = {UINT32_MAX, "must be an integer 0..4294967295"},
		[TYPE_U64] = {INT64_MAX, "must be an integer from 0"},
	};

	switch (type) {
	case TYPE_STRING:
		if (!json_is_string(value))
			return "must be a string";
		out->s = json_string_value(value);
		if (strlen(out->s) != json_string_length(value))
			return "must not contain a NUL character";
		break;
	case TYPE_TLVS:
		if (!take_tlvs(value, &out->u))
			return "must be an array of strings";
		break;
	case TYPE_BOOL:
		if (!json_is_boolean(value))
			return "must be true or false";
		out->u = json_is_true(value);
		break;
	default:
		if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		    json_integer_value(value) > integers[type].max)
			return integers[type].text;
		out->u = (uint64_t)json_integer_value(value);
	}
	out->has = true;
	return NULL;
}

/* Takes the members of @object that @keys names. @out may be NULL: then only the types count. */
static int take_object(const struct rule_draft *d, const json_t *object, const struct key *keys,
		       size_t n, const char *path, int row, struct draft_value *out)
{
	struct draft_value dropped;

	if (!json_is_object(object))
		return refuse_body(d, row, path, "", "must be an object");
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_object_get(object, keys[i].name);
		const char *wrong = NULL;

		if (value && !json_is_null(value))
			wrong = take(value, keys[i].type, out ? &out[i] : &dropped);
		else if (keys[i].required)
			wrong = "is required";
		if (wrong)
			return refuse_body(d, row, path, keys[i].name, wrong);
	}
	return 0;
}

static int take_targets(struct rule_draft *d, const json_t *targets)
{
	char path[48];
	int rc = 0;

	if (!targets || json_is_null(targets))
		return 0;
	if (!json_is_array(targets))
		return refuse_body(d, -1, "targets", "", "must be an array");
	d->has_targets = true;
	d->n_targets = json_array_size(targets);
	for (size_t i = 0; i < d->n_targets && !rc; i++) {
		snprintf(path, sizeof(path), "targets[%zu]", i);
		rc = take_object(d, json_array_get(targets, i), rule_target_keys, TARGET_KEYS, path,
				 (int)i, i < RULE_TARGETS_MAX ? d->target[i] : NULL);
	}
	return rc;
}

static int take_limit(struct rule_draft *d, const json_t *limit, const char *path)
{
	struct key keys[LIMIT_KEYS];

	if (!limit || json_is_null(limit))
		return 0;
	rule_limit_keys(keys);
	d->has_limit = true;
	return take_object(d, limit, keys, LIMIT_KEYS, path, -1, d->limit);
}

static int take_nested(struct rule_draft *d, const json_t *object)
{
	int rc = 0;

	for (size_t i = 0; i < RULE_NESTED && !rc; i++) {
		const json_t *value = json_object_get(object, rule_nested[i].name);

		if (value && !json_is_null(value))
			rc = take_object(d, value, rule_nested[i].keys, rule_nested[i].n,
					 rule_nested[i].name, -1,
					 (struct draft_value *)((char *)d + rule_nested[i].offset));
	}
	return rc;
}

/* Rows in the order of preference, once and for all. */
static void sort_targets(struct rule *r)
{
	struct rule_target sorted[RULE_TARGETS_MAX];
	uint8_t order[RULE_TARGETS_MAX];

	rule_preference(r, order);
	for (size_t i = 0; i < r->n_targets; i++)
		sorted[i] = r->targets[order[i]];
	memcpy(r->targets, sorted, r->n_targets * sizeof(sorted[0]));
}

struct rule *rule_parse_at(const struct json_t *object, bool push, const char *prefix,
			   struct rule_error *err)
{
	struct rule_draft d = {.prefix = prefix, .err = err};
	struct rule *r = NULL;

	/* The path of an API request names the rule, an "id" in its body is an unknown key. */
	if (take_object(&d, object, rule_keys + push, RULE_KEYS - push, "", -1, d.key + push))
		return NULL;
	if (push && !d.key[KEY_CLIENT].has) {
		refuse_body(&d, -1, "", "client", "is required");
		return NULL;
	}
	if (take_targets(&d, json_object_get(object, "targets")) ||
	    take_limit(&d, json_object_get(object, "rate_limit"), "rate_limit") ||
	    take_nested(&d, object))
		return NULL;
	if (!rule_take_lists(&d, object))
		r = rule_from_draft(&d);
	rule_drop_lists(&d);
	if (r)
		sort_targets(r);
	return r;
}

struct rule *rule_parse(const struct json_t *object, struct rule_error *err)
{
	return rule_parse_at(object, false, "", err);
}

struct rule *rule_parse_push(const struct json_t *object, struct rule_error *err)
{
	return rule_parse_at(object, true, "", err);
}

int rate_limit_parse(const struct json_t *object, struct rate_limit *out, struct rule_error *err)
{
	struct rule_draft d = {.prefix = "", .err = err, .limit_alone = true};
	int rc = json_is_object(object) ? take_limit(&d, object, "")
					: refuse_body(&d, -1, "", "", "must be an object");

	if (!rc)
		rc = check_rate_limit(&d);
	if (!rc)
		draft_rate_limit(&d, out);
	return rc;
}

static json_t *targets_to_json(const struct rule *r)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < r->n_targets; i++) {
		const struct rule_target *t = &r->targets[i];
		json_t *target = json_pack("{s:s, s:i, s:I}", "host", t->host, "port", (int)t->port,
					   "priority", (json_int_t)t->priority);
		const char *proxy = rule_proxy_text(t->proxy);
		int rc = t->check_port ? json_object_set_new(target, "health_check_port",
							     json_integer(t->check_port))
				       : 0;

		if (t->same_port)
			rc |= json_object_set_new(target, "same_port", json_true());
		if (proxy)
			rc |= json_object_set_new(target, "proxy_protocol", json_string(proxy));
		if (rule_weight(t) != 1)
			rc |= json_object_set_new(target, "weight", json_integer(t->weight));
		if (t->tlvs)
			rc |= json_object_set_new(target, "proxy_protocol_tlvs",
						  rule_tlvs_json(t->tlvs));
		if (json_array_append_new(list, target) || rc) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* Sets the members that are there; 0 or -1 as jansson's own functions. */
static int set_optional(json_t *o, const struct rule *r)
{
	int rc = 0;

	if (r->fields & RULE_HAS_ID)
		rc |= json_object_set_new(o, "id", json_integer((json_int_t)r->id));
	if (r->client)
		rc |= json_object_set_new(o, "client", json_string(r->client));
	if (r->listen_address)
		rc |= json_object_set_new(o, "listen_address", json_string(r->listen_address));
	if (r->sni_pattern)
		rc |= json_object_set_new(o, "sni_pattern", json_string(r->sni_pattern));
	if (r->accept_proxy)
		rc |= json_object_set_new(o, "accept_proxy",
					  json_string(rule_accept_text(r->accept_proxy)));
	if (r->health_check_proxy)
		rc |= json_object_set_new(o, "health_check_proxy", json_true());
	if (r->fallback_non_tls)
		rc |= json_object_set_new(o, "fallback_non_tls", json_true());
	if (r->relay)
		rc |= json_object_set_new(o, "relay", json_string(rule_relay_text(r->relay)));
	if (r->fields & RULE_HAS_PREFER_IPV6)
		rc |= json_object_set_new(o, "prefer_ipv6", json_boolean(r->prefer_ipv6));
	if (r->fields & RULE_HAS_RATE_LIMIT)
		rc |= json_object_set_new(o, "rate_limit", rate_limit_to_json(&r->limit));
	for (size_t i = 0; i < RULE_NUMBERS; i++)
		if (r->fields & rule_numbers[i].field)
			rc |= json_object_set_new(o, rule_numbers[i].name,
						  json_integer(
							  rule_number_value(r, &rule_numbers[i])));
	for (size_t i = 0; i < RULE_WORDS; i++)
		if (rule_word_value(r, &rule_words[i]))
			rc |= json_object_set_new(o, rule_words[i].name,
						  json_string(rule_word_value(r, &rule_words[i])));
	for (size_t i = 0; i < RULE_LISTS; i++)
		if (rule_list_value(r, &rule_lists[i]))
			rc |= json_object_set_new(o, rule_lists[i].name,
						  rule_list_json(
							  rule_list_value(r, &rule_lists[i])));
	return rc | rule_balance_to_json(o, r);
}

struct json_t *rule_to_json(const struct rule *r)
{
	json_t *o = json_object();
	int rc;

	if (!o)
		return NULL;
	rc = json_object_set_new(o, "listen_port", json_integer(r->listen_port));
	if (rule_is_range(r))
		rc |= json_object_set_new(o, "listen_port_end", json_integer(r->listen_port_end));
	rc |= json_object_set_new(o, "protocol",
				  json_string(r->protocol == RULE_UDP ? "udp" : "tcp"));
	if (r->legacy) {
		rc |= json_object_set_new(o, "target_host", json_string(r->targets[0].host));
		rc |= json_object_set_new(o, "target_port", json_integer(r->targets[0].port));
		if (rule_is_range(r))
			rc |= json_object_set_new(
				o, "target_port_end",
				json_integer(rule_target_port(r, 0, r->listen_port_end)));
	} else {
		rc |= json_object_set_new(o, "targets", targets_to_json(r));
	}
	rc |= set_optional(o, r);
	if (rc) {
		json_decref(o);
		return NULL;
	}
	return o;
}
