// SPDX-License-Identifier: MIT
/* /v1/rules: one rule at a time. */
#include "api/routes/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/call/call.h"
#include "api/call/scope.h"
#include "api/call/encode.h"
#include "api/call/warnings.h"
#include "lib/base/clock.h"
#include "lib/base/utf8.h"
#include "server/fleet/fleet.h"

void rules_get(struct call *c)
{
	struct fleet_rule *r = call_rule(c);
	char version[ETAG_SIZE];

	if (r)
		call_json_tagged(c, encode_rule(r), encode_version(r, version) ? version : NULL);
}

/* Whether If-Match, if there is one, names the rule as it is. False: answered. */
static bool is_expected(struct call *c, const struct fleet_rule *r)
{
	const char *expected = call_header(c, "If-Match");
	char version[ETAG_SIZE];

	if (!expected || (encode_version(r, version) && etag_version_matches(expected, version)))
		return true;
	call_error(
		c, 412, "precondition_failed",
		"precondition_failed: the rule has been changed since it was read; read it again");
	return false;
}

/* The rule in a body, its owner set; NULL when the call has been answered. */
static struct rule *read_rule(struct call *c, const char *owner)
{
	json_t *body = call_body(c, false);
	struct fleet_error err = {.required = ""};
	struct rule *rule;

	if (!body)
		return NULL;
	rule_unknown_keys(body, true, warn_of_key, c);
	if (warnings_refuse(c)) {
		json_decref(body);
		return NULL;
	}
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
	utf8_format(c->detail, sizeof(c->detail), "listen_port=%u targets=%u client=%s",
		    rule->listen_port, rule->n_targets, rule->client);
}

static void time_push(struct call *c)
{
	histogram_add(&c->api->pushes, (double)(clock_mono_ns() - c->began_ns) / NS_PER_SEC);
}

static void pushed(void *arg, struct fleet_rule *r, const struct fleet_error *err)
{
	struct call *c = arg;

	time_push(c);
	if (r)
		snprintf(c->resource, sizeof(c->resource), "%llu", (unsigned long long)r->rule->id);
	if (err)
		call_refuse(c, err);
	else
		call_json(c, 201, warnings_put(c, encode_pushed(r)));
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

	time_push(c);
	if (err)
		call_refuse(c, err);
	else
		call_json(c, 200, warnings_put(c, encode_pushed(r)));
}

void rules_update(struct call *c)
{
	struct fleet_rule *r = call_rule(c);
	struct fleet_error err;
	struct rule *rule;

	if (!r || !is_expected(c, r))
		return;
	rule = read_rule(c, r->rule->owner);
	if (!rule)
		return;
	note(c, "rule.update", rule);
	if (fleet_update(c->api->fleet, r, rule, updated, c, &err))
		call_refuse(c, &err);
}

static void removed(void *arg, int err)
{
	struct call *c = arg;

	if (err == -ENOENT)
		call_error(c, 404, "rule_not_found", "rule_not_found: there is no rule %s",
			   c->resource);
	else
		call_stored(c, err);
}

void rules_remove(struct call *c)
{
	struct fleet_rule *r = call_rule(c);
	int err;

	if (!r || !is_expected(c, r))
		return;
	note(c, "rule.remove", r->rule);
	err = fleet_remove(c->api->fleet, r, removed, c);
	if (err)
		call_store_error(c, err);
}

void rules_failback(struct call *c)
{
	struct fleet_rule *r = call_rule(c);
	struct fleet_error err = {.required = ""};

	if (!r)
		return;
	note(c, "rule.failback", r->rule);
	if (fleet_fail_back(r, &err))
		call_refuse(c, &err);
	else
		call_empty(c, 204);
}
