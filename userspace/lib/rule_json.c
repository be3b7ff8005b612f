// SPDX-License-Identifier: MIT
/* Rules as JSON objects in the shape of POST /v1/rules: reading (types only) and writing. */
#include "lib/rule_draft.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum value_type { TYPE_U16, TYPE_U32, TYPE_U64, TYPE_STRING, TYPE_BOOL };

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
	[KEY_LISTEN_ADDRESS] = {"listen_address", TYPE_STRING},
	[KEY_SNI_PATTERN] = {"sni_pattern", TYPE_STRING},
};

static const struct key target_keys[TARGET_KEYS] = {
	[TARGET_HOST] = {"host", TYPE_STRING, true},
	[TARGET_PORT] = {"port", TYPE_U16, true},
	[TARGET_PRIORITY] = {"priority", TYPE_U32},
	[TARGET_PROXY] = {"proxy_protocol", TYPE_STRING},
};

static const struct key limit_keys[LIMIT_KEYS] = {
	[LIMIT_IN_BPS] = {"bandwidth_in_bps", TYPE_U64},
	[LIMIT_OUT_BPS] = {"bandwidth_out_bps", TYPE_U64},
	[LIMIT_NEW_PER_SEC] = {"new_connections_per_sec", TYPE_U32},
	[LIMIT_CONCURRENT] = {"concurrent_connections", TYPE_U32},
	[LIMIT_IN_BURST] = {"bandwidth_in_burst", TYPE_U64},
	[LIMIT_OUT_BURST] = {"bandwidth_out_burst", TYPE_U64},
	[LIMIT_NEW_BURST] = {"new_connections_burst", TYPE_U32},
	[LIMIT_CONCURRENT_BURST] = {"concurrent_connections_burst", TYPE_U32},
};

static int refuse_body(const struct rule_draft *d, int row, const char *path, const char *name,
		       const char *text)
{
	char field[96];

	snprintf(field, sizeof(field), "%s%s%s", path, *path && *name ? "." : "", name);
	return rule_refuse(d, 422, "invalid_body", row, field, text);
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
	const json_t *limit;
	struct rule *r;

	/* The path of an API request names the rule, an "id" in its body is an unknown key. */
	if (take_object(&d, object, rule_keys + push, RULE_KEYS - push, "", -1, d.key + push))
		return NULL;
	if (push && !d.key[KEY_CLIENT].has) {
		refuse_body(&d, -1, "", "client", "is required");
		return NULL;
	}
	limit = json_object_get(object, "rate_limit");
	if (take_targets(&d, json_object_get(object, "targets")) ||
	    (limit && !json_is_null(limit) &&
	     take_object(&d, limit, limit_keys, LIMIT_KEYS, "rate_limit", -1, d.limit)))
		return NULL;
	r = rule_from_draft(&d);
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

static json_t *targets_to_json(const struct rule *r)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < r->n_targets; i++) {
		const struct rule_target *t = &r->targets[i];
		json_t *target = json_pack("{s:s, s:i, s:I}", "host", t->host, "port", (int)t->port,
					   "priority", (json_int_t)t->priority);

		if (json_array_append_new(list, target)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* Sets the members that are there; 0 or -1 as jansson's own functions. */
static int set_optional(json_t *o, const struct rule *r)
{
	static const struct {
		enum rule_field field;
		enum rule_key key;
		size_t offset;
	} numbers[] = {
		{RULE_HAS_PROBE_INTERVAL, KEY_PROBE_INTERVAL,
		 offsetof(struct rule, probe_interval_secs)},
		{RULE_HAS_CONNECT_TIMEOUT, KEY_CONNECT_TIMEOUT,
		 offsetof(struct rule, connect_timeout_ms)},
		{RULE_HAS_HEDGE_DELAY, KEY_HEDGE_DELAY, offsetof(struct rule, hedge_delay_ms)},
		{RULE_HAS_IDLE_TIMEOUT, KEY_IDLE_TIMEOUT, offsetof(struct rule, idle_timeout_secs)},
	};
	int rc = 0;

	if (r->fields & RULE_HAS_ID)
		rc |= json_object_set_new(o, "id", json_integer((json_int_t)r->id));
	if (r->client)
		rc |= json_object_set_new(o, "client", json_string(r->client));
	if (r->listen_address)
		rc |= json_object_set_new(o, "listen_address", json_string(r->listen_address));
	if (r->fields & RULE_HAS_PREFER_IPV6)
		rc |= json_object_set_new(o, "prefer_ipv6", json_boolean(r->prefer_ipv6));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint32_t value;

		if (!(r->fields & numbers[i].field))
			continue;
		memcpy(&value, (const char *)r + numbers[i].offset, sizeof(value));
		rc |= json_object_set_new(o, rule_keys[numbers[i].key].name, json_integer(value));
	}
	return rc;
}

struct json_t *rule_to_json(const struct rule *r)
{
	json_t *o = json_object();
	int rc;

	if (!o)
		return NULL;
	rc = json_object_set_new(o, "listen_port", json_integer(r->listen_port));
	rc |= json_object_set_new(o, "protocol",
				  json_string(r->protocol == RULE_UDP ? "udp" : "tcp"));
	if (r->legacy) {
		rc |= json_object_set_new(o, "target_host", json_string(r->targets[0].host));
		rc |= json_object_set_new(o, "target_port", json_integer(r->targets[0].port));
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
