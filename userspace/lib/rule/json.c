// SPDX-License-Identifier: MIT
/* Rules as JSON objects in the shape of POST /v1/rules: reading (types only) and writing. */
#include "lib/base/utf8.h"
#include "lib/rule/check_limit.h"
#include "lib/rule/balance.h"
#include "lib/rule/draft.h"
#include "lib/rule/lists.h"
#include "lib/rule/lists_draft.h"
#include "lib/rule/number.h"
#include "lib/rule/words.h"
#include "lib/rule/span.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum value_type { TYPE_U16, TYPE_U32, TYPE_U64, TYPE_STRING, TYPE_BOOL, TYPE_TLVS };

struct key {
	const char *name;
	enum value_type type;
	bool required;
};

static const struct key rule_keys[RULE_KEYS] = {
	[KEY_ID] = {"id", TYPE_U64},
	[KEY_CLIENT] = {"client", TYPE_STRING},
	[KEY_LISTEN_PORT] = {"listen_port", TYPE_U16, true},
	[KEY_LISTEN_PORT_END] = {"listen_port_end", TYPE_U16},
	[KEY_TARGET_HOST] = {"target_host", TYPE_STRING},
	[KEY_TARGET_PORT] = {"target_port", TYPE_U16},
	[KEY_TARGET_PORT_END] = {"target_port_end", TYPE_U16},
	[KEY_PROTOCOL] = {"protocol", TYPE_STRING},
	[KEY_PREFER_IPV6] = {"prefer_ipv6", TYPE_BOOL},
	[KEY_ACK_TIMEOUT] = {"ack_timeout_secs", TYPE_U64},
	[KEY_PROBE_INTERVAL] = {"health_check_interval_secs", TYPE_U32},
	[KEY_CONNECT_TIMEOUT] = {"connect_timeout_ms", TYPE_U32},
	[KEY_HEDGE_DELAY] = {"hedge_delay_ms", TYPE_U32},
	[KEY_IDLE_TIMEOUT] = {"idle_timeout_secs", TYPE_U32},
	[KEY_HALF_CLOSE] = {"half_close_timeout_secs", TYPE_U32},
	[KEY_LISTEN_ADDRESS] = {"listen_address", TYPE_STRING},
	[KEY_SNI_PATTERN] = {"sni_pattern", TYPE_STRING},
	[KEY_FALLBACK_NON_TLS] = {"fallback_non_tls", TYPE_BOOL},
	[KEY_RELAY] = {"relay", TYPE_STRING},
	[KEY_UDP_IDLE] = {"udp_flow_idle_secs", TYPE_U32},
	[KEY_UDP_MAX_FLOWS] = {"udp_max_flows", TYPE_U32},
	[KEY_UDP_REPLY_TIMEOUT] = {"udp_reply_timeout_ms", TYPE_U32},
	[KEY_PROXY] = {"proxy_protocol", TYPE_STRING},
	[KEY_HEALTH_CHECK_PROXY] = {"health_check_proxy", TYPE_BOOL},
	[KEY_ACCEPT_PROXY] = {"accept_proxy", TYPE_STRING},
	[KEY_SOURCE_INTERFACE] = {"source_interface", TYPE_STRING},
	[KEY_LISTEN_INTERFACE] = {"listen_interface", TYPE_STRING},
	[KEY_CONGESTION] = {"congestion_control", TYPE_STRING},
	[KEY_BALANCE] = {"balance", TYPE_STRING},
	[KEY_ON_FAILURE] = {"on_failure", TYPE_STRING},
	[KEY_FAILBACK] = {"failback", TYPE_STRING},
};

static const struct key target_keys[TARGET_KEYS] = {
	[TARGET_HOST] = {"host", TYPE_STRING, true},
	[TARGET_PORT] = {"port", TYPE_U16, true},
	[TARGET_PRIORITY] = {"priority", TYPE_U32},
	[TARGET_PROXY] = {"proxy_protocol", TYPE_STRING},
	[TARGET_CHECK_PORT] = {"health_check_port", TYPE_U16},
	[TARGET_WEIGHT] = {"weight", TYPE_U32},
	[TARGET_TLVS] = {"proxy_protocol_tlvs", TYPE_TLVS},
	[TARGET_SAME_PORT] = {"same_port", TYPE_BOOL},
};

static const struct key eject_keys[EJECT_KEYS] = {
	[EJECT_RESETS] = {"resets", TYPE_U32, true},
	[EJECT_WINDOW] = {"window_secs", TYPE_U32, true},
	[EJECT_FOR] = {"for_secs", TYPE_U32, true},
};

static const struct key talk_keys[TALK_KEYS] = {
	[TALK_SEND] = {"send", TYPE_STRING},
	[TALK_EXPECT] = {"expect", TYPE_STRING},
	[TALK_TLS] = {"tls", TYPE_BOOL},
	[TALK_PORT] = {"port", TYPE_U16},
};

/* The members of a rule that are objects, and where their values go. */
static const struct {
	const char *name;
	const struct key *keys;
	size_t n, offset;
} nested[] = {
	{"eject", eject_keys, EJECT_KEYS, offsetof(struct rule_draft, eject)},
	{"health_check", talk_keys, TALK_KEYS, offsetof(struct rule_draft, talk)},
};
#define NESTED (sizeof(nested) / sizeof(nested[0]))

static const enum value_type limit_types[LIMIT_KEYS] = {
	[LIMIT_IN_BPS] = TYPE_U64,	[LIMIT_OUT_BPS] = TYPE_U64,
	[LIMIT_NEW_PER_SEC] = TYPE_U32, [LIMIT_CONCURRENT] = TYPE_U32,
	[LIMIT_IN_BURST] = TYPE_U64,	[LIMIT_OUT_BURST] = TYPE_U64,
	[LIMIT_NEW_BURST] = TYPE_U32,	[LIMIT_CONCURRENT_BURST] = TYPE_U32,
};

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
		rc = take_object(d, json_array_get(targets, i), target_keys, TARGET_KEYS, path,
				 (int)i, i < RULE_TARGETS_MAX ? d->target[i] : NULL);
	}
	return rc;
}

static void limit_keys(struct key out[LIMIT_KEYS])
{
	for (enum limit_key i = 0; i < LIMIT_KEYS; i++)
		out[i] = (struct key){limit_key_names[i], limit_types[i], false};
}

static int take_limit(struct rule_draft *d, const json_t *limit, const char *path)
{
	struct key keys[LIMIT_KEYS];

	if (!limit || json_is_null(limit))
		return 0;
	limit_keys(keys);
	d->has_limit = true;
	return take_object(d, limit, keys, LIMIT_KEYS, path, -1, d->limit);
}

static int take_nested(struct rule_draft *d, const json_t *object)
{
	int rc = 0;

	for (size_t i = 0; i < NESTED && !rc; i++) {
		const json_t *value = json_object_get(object, nested[i].name);

		if (value && !json_is_null(value))
			rc = take_object(d, value, nested[i].keys, nested[i].n, nested[i].name, -1,
					 (struct draft_value *)((char *)d + nested[i].offset));
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

static bool is_known(const struct key *keys, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(keys[i].name, name))
			return true;
	return false;
}

/* Of a rule's own keys, those whose value holds more than one. */
static bool holds_more(const char *name)
{
	for (size_t i = 0; i < RULE_LISTS; i++)
		if (!strcmp(name, rule_lists[i].name))
			return true;
	for (size_t i = 0; i < NESTED; i++)
		if (!strcmp(name, nested[i].name))
			return true;
	return !strcmp(name, "targets") || !strcmp(name, "rate_limit");
}

/* Tells of what is neither in @keys nor one that holds more. */
static void tell_unknown(const json_t *object, const struct key *keys, size_t n, const char *prefix,
			 void (*found)(void *arg, const char *path), void *arg)
{
	const char *name;
	json_t *value;
	char path[96];

	json_object_foreach ((json_t *)object, name, value) {
		if (is_known(keys, n, name) || (!*prefix && holds_more(name)))
			continue;
		utf8_format(path, sizeof(path), "%s%s", prefix, name);
		found(arg, path);
	}
}

static void tell_unknown_caps(const json_t *limit, const char *prefix,
			      void (*found)(void *arg, const char *path), void *arg)
{
	struct key keys[LIMIT_KEYS];

	limit_keys(keys);
	tell_unknown(limit, keys, LIMIT_KEYS, prefix, found, arg);
}

void rate_limit_unknown_keys(const struct json_t *object,
			     void (*found)(void *arg, const char *path), void *arg)
{
	tell_unknown_caps(object, "", found, arg);
}

void rule_unknown_keys(const struct json_t *object, bool push,
		       void (*found)(void *arg, const char *path), void *arg)
{
	const json_t *targets = json_object_get(object, "targets");
	char prefix[32];

	tell_unknown(object, rule_keys + push, RULE_KEYS - push, "", found, arg);
	tell_unknown_caps(json_object_get(object, "rate_limit"), "rate_limit.", found, arg);
	for (size_t i = 0; i < NESTED; i++) {
		snprintf(prefix, sizeof(prefix), "%s.", nested[i].name);
		tell_unknown(json_object_get(object, nested[i].name), nested[i].keys, nested[i].n,
			     prefix, found, arg);
	}
	for (size_t i = 0; i < json_array_size(targets) && i < RULE_TARGETS_MAX; i++) {
		snprintf(prefix, sizeof(prefix), "targets[%zu].", i);
		tell_unknown(json_array_get(targets, i), target_keys, TARGET_KEYS, prefix, found,
			     arg);
	}
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
