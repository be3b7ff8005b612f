// SPDX-License-Identifier: MIT
/* /v1/clients and /v1/client-enrollments */
#include "api/routes/clients.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/call/call.h"
#include "api/call/encode.h"
#include "api/call/json.h"
#include "lib/base/utf8.h"
#include "lib/rule/rule.h"
#include "server/fleet/enrolment.h"
#include "server/fleet/fleet.h"

static int by_name(const void *a, const void *b)
{
	const struct fleet_client *const *x = a, *const *y = b;
	int d = strcmp((*x)->name, (*y)->name);

	return d ? d : strcmp((*x)->id, (*y)->id);
}

void clients_list(struct call *c)
{
	size_t n;
	struct fleet_client *const *all = fleet_clients(c->api->fleet, &n);
	struct fleet_client **sorted = malloc((n + 1) * sizeof(*sorted));
	json_t *list = json_array();

	if (!sorted || !list) {
		free(sorted);
		json_decref(list);
		call_json(c, 500, NULL);
		return;
	}
	for (size_t i = 0; i < n; i++)
		sorted[i] = all[i];
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, encode_client(sorted[i]));
	free(sorted);
	call_json_tagged(c, list, NULL);
}

static void client_gone(struct call *c)
{
	call_error(c, 404, "client_not_found", "client_not_found: no client has the id %s",
		   c->param);
}

/* The client that the path names, or NULL and the call has been answered. */
static struct fleet_client *call_client(struct call *c, const char *action)
{
	struct fleet_client *client = fleet_client_find(c->api->fleet, c->param);

	c->action = action;
	c->resource_kind = "client";
	utf8_format(c->resource, sizeof(c->resource), "%s", c->param);
	if (!client)
		client_gone(c);
	return client;
}

static bool check_name(struct call *c, const char *name)
{
	const char *wrong = rule_check_client(name);

	if (wrong)
		call_error(c, 400, "invalid_name", "invalid_name: %s", wrong);
	return !wrong;
}

static bool check_address(struct call *c, const char *address)
{
	const char *wrong = enroll_check_address(address);

	if (wrong)
		call_error(c, 400, "invalid_client_address", "invalid_client_address: %s", wrong);
	return !wrong;
}

/* Of a change that is answered with the client as it is now. */
static void changed(void *arg, struct fleet_client *client, int err)
{
	struct call *c = arg;

	if (err == -EEXIST)
		call_error(c, 409, "client_name_taken",
			   "client_name_taken: another edge has that name");
	else if (err == -ENOENT || (!err && !client))
		client_gone(c);
	else if (err)
		call_store_error(c, err);
	else
		call_json(c, 200, encode_client(client));
}

/* Of one that is answered with nothing. */
static void done(void *arg, struct fleet_client *client, int err)
{
	if (err == -ENOENT)
		client_gone(arg);
	else
		call_stored(arg, err);
}

void clients_readdress(struct call *c)
{
	struct fleet_client *client = call_client(c, "client.readdress");
	json_t *body = client ? call_body(c, false) : NULL;
	const char *address;
	int err;

	if (!body)
		return;
	if (call_body_text(c, body, "address", true, &address) && check_address(c, address)) {
		err = fleet_client_readdress(c->api->fleet, client, address, changed, c);
		if (err)
			call_store_error(c, err);
	}
	json_decref(body);
}

void clients_rename(struct call *c)
{
	struct fleet_client *client = call_client(c, "client.rename");
	json_t *body = client ? call_body(c, false) : NULL;
	const char *name;
	int err;

	if (!body)
		return;
	if (call_body_text(c, body, "client_name", true, &name) && check_name(c, name)) {
		utf8_format(c->detail, sizeof(c->detail), "%s -> %s", client->name, name);
		err = fleet_client_rename(c->api->fleet, client, name, changed, c);
		if (err)
			changed(c, client, err);
	}
	json_decref(body);
}

void clients_revoke(struct call *c)
{
	struct fleet_client *client = call_client(c, "client.revoke");
	int err;

	if (!client)
		return;
	err = fleet_client_revoke(c->api->fleet, client, done, c);
	if (err)
		call_store_error(c, err);
}

void clients_delete(struct call *c)
{
	struct fleet_client *client = call_client(c, "client.delete");
	int err;

	if (!client)
		return;
	if (!client->revoked_ms) {
		call_error(c, 409, "client_not_revoked",
			   "client_not_revoked: revoke the client first");
		return;
	}
	err = fleet_client_delete(c->api->fleet, client, done, c);
	if (err)
		call_store_error(c, err);
}

/* "2026-05-08T10:52:11.120+00:00": the one time that has no Z. */
static json_t *encode_expiry(uint64_t unix_ms)
{
	time_t secs = (time_t)(unix_ms / 1000);
	char day[24], text[48];
	struct tm tm;

	gmtime_r(&secs, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03u+00:00", day, (unsigned)(unix_ms % 1000));
	return json_string(text);
}

static void offered(void *arg, const struct enroll_offer *out, const struct fleet_error *err)
{
	char command[ENROLL_URI_MAX + 64];
	struct call *c = arg;

	if (err) {
		call_refuse(c, err);
		return;
	}
	snprintf(command, sizeof(command), "portunus-client enroll '%s'", out->uri);
	call_json(c, 201,
		  json_pack("{s:o,s:o,s:s,s:s}", "client_name", json_text(out->name), "expires_at",
			    encode_expiry(out->expires_ms), "command", command, "uri", out->uri));
}

static void offer(struct call *c, const char *client_id, const char *name, const char *address,
		  uint64_t ttl_secs)
{
	struct fleet_error err;

	if (!c->api->enroll)
		call_error(c, 503, "endpoint_invalid", "the control listener is not up");
	else if (enroll_offer(c->api->enroll, client_id, name, address, ttl_secs,
			      call_header(c, "Host"), offered, c, &err))
		call_refuse(c, &err);
}

/* ttl_secs of a body; false: answered. */
static bool read_ttl(struct call *c, json_t *body, uint64_t *ttl_secs)
{
	json_t *value = json_object_get(body, "ttl_secs");

	*ttl_secs = ENROLL_TTL_SECS;
	if (!value || json_is_null(value))
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 0) {
		call_error(c, 422, "invalid_body", "ttl_secs: has to be a whole number");
		return false;
	}
	*ttl_secs = (uint64_t)json_integer_value(value);
	return true;
}

void clients_enroll(struct call *c)
{
	json_t *body = call_body(c, false);
	const char *name, *address;
	uint64_t ttl;

	if (!body)
		return;
	c->action = "client.enroll";
	c->resource_kind = "client";
	if (call_body_text(c, body, "name", true, &name) &&
	    call_body_text(c, body, "address", false, &address) && read_ttl(c, body, &ttl) &&
	    check_name(c, name) && (!address || check_address(c, address))) {
		utf8_format(c->resource, sizeof(c->resource), "%s", name);
		offer(c, NULL, name, address, ttl);
	}
	json_decref(body);
}

void clients_reenroll(struct call *c)
{
	struct fleet_client *client = call_client(c, "client.reenroll");
	json_t *body = client ? call_body(c, true) : NULL;
	uint64_t ttl;

	if (!body)
		return;
	if (read_ttl(c, body, &ttl))
		offer(c, client->id, client->name, client->address, ttl);
	json_decref(body);
}
