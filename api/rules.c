// SPDX-License-Identifier: MIT
/* /v1/rules */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "api/api_internal.h"
#include "api/encode.h"
#include "server/fleet.h"

bool call_may_see(const struct call *c, const struct fleet_rule *r)
{
	return c->who.role != ROLE_OPERATOR || !strcmp(r->rule->owner, c->who.name);
}

struct fleet_rule *call_rule(struct call *c)
{
	struct fleet_rule *r;
	uint64_t id;
	char *end;

	errno = 0;
	id = strtoull(c->param, &end, 10);
	if (*c->param < '0' || *c->param > '9' || *end || errno) {
		call_error(c, 400, "invalid_id", "invalid_id: '%.40s' is not a rule id", c->param);
		return NULL;
	}
	c->resource_kind = "rule";
	snprintf(c->resource, sizeof(c->resource), "%llu", (unsigned long long)id);
	r = fleet_rule(c->api->fleet, id);
	if (!r) {
		call_error(c, 404, "rule_not_found", "rule_not_found: there is no rule %llu",
			   (unsigned long long)id);
		return NULL;
	}
	if (!call_may_see(c, r)) {
		api_deny(c, 403, "not_owner", "not_owner: the rule belongs to another token");
		return NULL;
	}
	return r;
}

/* Appends a rule as text. False for memory. */
static bool add_row(struct evbuffer *list, const char *between, const struct fleet_rule *r,
		    bool with_stats)
{
	json_t *row = encode_rule_row(r, with_stats);
	char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;
	bool ok = text && !evbuffer_add(list, between, 1) &&
		  !evbuffer_add(list, text, strlen(text));

	json_decref(row);
	free(text);
	return ok;
}

void rules_list(struct call *c)
{
	char *client = call_query(c, "client"), *owner = call_query(c, "owner");
	bool by_owner = owner && *owner && c->who.role == ROLE_ADMIN;
	bool with_stats = call_flag(c, "stats");
	const char *between = "[";
	struct evbuffer *list = evbuffer_new();
	size_t n;
	struct fleet_rule *const *rules = fleet_rules(c->api->fleet, &n);

	/* Row by row: ten thousand rules as one tree of JSON take twice the time. */
	for (size_t i = 0; list && i < n; i++) {
		const struct fleet_rule *r = rules[i];

		if (!call_may_see(c, r) || (client && *client && strcmp(client, r->client->name)) ||
		    (by_owner && strcmp(owner, r->rule->owner)))
			continue;
		if (!add_row(list, between, r, with_stats)) {
			evbuffer_free(list);
			list = NULL;
		}
		between = ",";
	}
	free(client);
	free(owner);
	if (!list) {
		call_json(c, 500, NULL);
		return;
	}
	evbuffer_add_printf(list, *between == '[' ? "[]" : "]");
	call_buffer(c, 200, "application/json", list);
}

void rules_get(struct call *c)
{
	struct fleet_rule *r = call_rule(c);

	if (r)
		call_json(c, 200, encode_rule(r));
}

/* The rule in a body, its owner set; NULL when the call has been answered. */
static struct rule *read_rule(struct call *c, const char *owner)
{
	json_t *body = call_body(c, false);
	struct fleet_error err = {.required = ""};
	struct rule *rule;

	if (!body)
		return NULL;
	rule = rule_parse_push(body, &err.e);
	json_decref(body);
	if (!rule) {
		call_refuse(c, &err);
		return NULL;
	}
	free(rule->owner);
	rule->owner = strdup(owner);
	if (!rule->owner) {
		rule_free(rule);
		call_json(c, 500, NULL);
		return NULL;
	}
	return rule;
}

/* Says in the audit trail what was asked for. */
static void note(struct call *c, const char *action, const struct rule *rule)
{
	c->action = action;
	c->resource_kind = "rule";
	snprintf(c->detail, sizeof(c->detail), "client=%.64s listen_port=%u targets=%u",
		 rule->client, rule->listen_port, rule->n_targets);
}

static void pushed(void *arg, struct fleet_rule *r, const struct fleet_error *err)
{
	struct call *c = arg;

	if (r)
		snprintf(c->resource, sizeof(c->resource), "%llu", (unsigned long long)r->rule->id);
	if (err)
		call_refuse(c, err);
	else
		call_json(c, 201, encode_pushed(r));
}

void rules_push(struct call *c)
{
	struct rule *rule = read_rule(c, c->who.name);
	struct fleet_error err;

	if (!rule)
		return;
	note(c, "rule.push", rule);
	if (fleet_push(c->api->fleet, rule, pushed, c, &err))
		call_refuse(c, &err);
}

static void updated(void *arg, struct fleet_rule *r, const struct fleet_error *err)
{
	struct call *c = arg;

	if (err)
		call_refuse(c, err);
	else
		call_json(c, 200, encode_pushed(r));
}

void rules_update(struct call *c)
{
	struct fleet_rule *r = call_rule(c);
	struct fleet_error err;
	struct rule *rule;

	if (!r)
		return;
	rule = read_rule(c, r->rule->owner);
	if (!rule)
		return;
	note(c, "rule.update", rule);
	if (fleet_update(c->api->fleet, r, rule, updated, c, &err))
		call_refuse(c, &err);
}

void rules_remove(struct call *c)
{
	struct fleet_rule *r = call_rule(c);
	int err;

	if (!r)
		return;
	note(c, "rule.remove", r->rule);
	err = fleet_remove(c->api->fleet, r);
	if (err)
		call_store_error(c, err);
	else
		call_empty(c, 204);
}
