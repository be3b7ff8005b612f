// SPDX-License-Identifier: MIT
/* /v1/clients/ID/owners: whose rules an edge has, and the caps of each owner over all of them. */
#include "api/routes/owners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/call/call.h"
#include "api/call/encode.h"
#include "api/call/json.h"
#include "api/call/warnings.h"
#include "lib/base/ulid.h"
#include "lib/base/utf8.h"
#include "server/fleet/caps.h"
#include "server/fleet/fleet.h"

static void client_gone(struct call *c)
{
	call_error(c, 404, "client_not_found", "client_not_found: no client has the id %s",
		   c->param);
}

/* The client that the path names, or NULL and the call has been answered. */
static struct fleet_client *path_client(struct call *c)
{
	struct fleet_client *client = fleet_client_find(c->api->fleet, c->param);

	if (!client)
		client_gone(c);
	return client;
}

/* Says in the audit trail whose caps it is about. */
static void note(struct call *c, const char *action)
{
	c->action = action;
	c->resource_kind = "owner";
	utf8_format(c->resource, sizeof(c->resource), "%s", c->param2);
	utf8_format(c->detail, sizeof(c->detail), "client=%s", c->param);
}

/* ---- the list ---- */

struct row {
	const char *owner;
	bool capped;
	unsigned rules;
};

static int by_owner(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->owner, ((const struct row *)b)->owner);
}

static json_t *row_json(const struct row *row)
{
	return json_pack("{s:o,s:b,s:i}", "owner_id", json_text(row->owner), "has_rate_limit",
			 row->capped, "rule_count", (int)row->rules);
}

/* Puts rows of one owner together. */
static json_t *rows_json(struct row *rows, size_t n)
{
	json_t *list = json_array();

	qsort(rows, n, sizeof(*rows), by_owner);
	for (size_t i = 0, k; list && i < n; i = k) {
		for (k = i + 1; k < n && !strcmp(rows[k].owner, rows[i].owner); k++) {
			rows[i].capped |= rows[k].capped;
			rows[i].rules += rows[k].rules;
		}
		json_array_append_new(list, row_json(&rows[i]));
	}
	return list;
}

void owners_list(struct call *c)
{
	struct fleet_client *client = path_client(c);
	const struct fleet_owner *o;
	const struct fleet_rule *r;
	struct row *rows;
	size_t n = 0;

	if (!client)
		return;
	TAILQ_FOREACH (o, &client->owners, of_client)
		n++;
	TAILQ_FOREACH (r, &client->rules, of_client)
		n++;
	rows = calloc(n + 1, sizeof(*rows));
	if (!rows) {
		call_json(c, 500, NULL);
		return;
	}
	n = 0;
	TAILQ_FOREACH (o, &client->owners, of_client)
		if (o->capped)
			rows[n++] = (struct row){.owner = o->id, .capped = true};
	TAILQ_FOREACH (r, &client->rules, of_client)
		rows[n++] = (struct row){.owner = r->rule->owner, .rules = 1};
	call_json(c, 200, n ? rows_json(rows, n) : json_array());
	free(rows);
}

/* ---- one envelope ---- */

static json_t *view(const struct fleet_client *client, const struct fleet_owner *o)
{
	return json_pack("{s:o,s:o,s:o,s:I}", "client_name", json_text(client->name), "owner_id",
			 json_text(o->id), "rate_limit", rate_limit_to_json(&o->limit),
			 "updated_at_unix_ms", (json_int_t)o->updated_ms);
}

void owner_caps_get(struct call *c)
{
	struct fleet_client *client = path_client(c);
	const struct fleet_owner *o = client ? owner_find(client, c->param2) : NULL;

	if (client && (!o || !o->capped))
		call_error(c, 404, "owner_rate_limit_not_found",
			   "owner_rate_limit_not_found: %s has no envelope on %s", c->param2,
			   client->name);
	else if (client)
		call_json(c, 200, view(client, o));
}

/* The envelope in a body; false: answered. The reserved key comes before everything else. */
static bool read_caps(struct call *c, const struct fleet_client *client, json_t *body,
		      struct rate_limit *limit)
{
	const json_t *reserved = json_object_get(body, limit_key_names[LIMIT_CONCURRENT_BURST]);
	struct fleet_error err = {.required = ""};

	rate_limit_unknown_keys(body, warn_of_key, c);
	if (warnings_refuse(c))
		return false;
	if (reserved && !json_is_null(reserved)) {
		call_error(c, 400, "validation.rate_limit_burst_unsupported",
			   "concurrent_connections_burst: concurrent connections have no burst");
		return false;
	}
	if (!fleet_can_cap(client, &err) && !rate_limit_parse(body, limit, &err.e))
		return true;
	call_refuse(c, &err);
	return false;
}

/* What became of a change: the envelope that holds, or nothing where there is none now. */
static void changed(void *arg, const struct fleet_client *client, const struct fleet_owner *o,
		    int err)
{
	struct call *c = arg;

	if (err == -ENOENT)
		client_gone(c);
	else if (err || !o)
		call_stored(c, err);
	else
		call_json(c, 200, warnings_put(c, view(client, o)));
}

void owner_caps_put(struct call *c)
{
	struct fleet_client *client;
	struct rate_limit limit;
	json_t *body;
	int err;

	note(c, "owner_cap.set");
	client = path_client(c);
	body = client ? call_body(c, false) : NULL;
	if (!body)
		return;
	if (!*c->param2 || !utf8_valid(c->param2, strlen(c->param2))) {
		call_error(c, 400, "invalid_user_id", "invalid_user_id: not a user's id");
	} else if (read_caps(c, client, body, &limit)) {
		err = fleet_cap_owner(c->api->fleet, client, c->param2, &limit, changed, c);
		if (err)
			call_store_error(c, err);
	}
	json_decref(body);
}

void owner_caps_delete(struct call *c)
{
	struct fleet_client *client = fleet_client_find(c->api->fleet, c->param);
	int err;

	note(c, "owner_cap.delete");
	/* Of a client that is no more there are none, which is what was asked for. */
	if (!client && ulid_valid(c->param))
		call_empty(c, 204);
	else if (!client)
		client_gone(c);
	if (!client)
		return;
	err = fleet_cap_owner(c->api->fleet, client, c->param2, NULL, changed, c);
	if (err)
		call_store_error(c, err);
}
