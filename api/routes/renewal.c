// SPDX-License-Identifier: MIT
/* /v1/certificate and /v1/clients/{id}/token: new ones, without an outage. */
#include "api/routes/renewal.h"

#include "api/call/call.h"
#include "api/call/json.h"
#include "lib/base/utf8.h"
#include "server/fleet/fleet.h"
#include "server/fleet/renewal.h"

static void add_name(void *arg, const char *name)
{
	json_array_append_new(arg, json_text(name));
}

static json_t *state_of(struct renewal *r)
{
	json_t *waiting = json_array();
	bool under_way = renewal_under_way(r);

	renewal_waiting(r, add_name, waiting);
	return json_pack("{s:s,s:o}", "state", under_way ? "announced" : "in_use", "waiting",
			 waiting);
}

/* NULL: answered. */
static struct renewal *renewal_of(struct call *c)
{
	struct renewal *r = c->api->fleet->renewal;

	if (!r)
		call_error(c, 503, "store_unavailable", "the control listener is not up");
	return r;
}

void certificate_get(struct call *c)
{
	struct renewal *r = renewal_of(c);

	if (r)
		call_json(c, 200, state_of(r));
}

static void announced(void *arg, const struct fleet_error *err)
{
	struct call *c = arg;
	struct renewal *r = c->api->fleet->renewal;

	if (err)
		call_refuse(c, err);
	else
		call_json(c, renewal_under_way(r) ? 202 : 200, state_of(r));
}

void certificate_rotate(struct call *c)
{
	struct renewal *r = renewal_of(c);
	struct fleet_error err;

	c->action = "certificate.rotate";
	if (r && renewal_certificate(r, announced, c, &err))
		call_refuse(c, &err);
}

static void rotated(void *arg, const struct fleet_error *err)
{
	struct call *c = arg;

	if (err)
		call_refuse(c, err);
	else
		call_empty(c, 204);
}

void token_rotate(struct call *c)
{
	struct fleet_client *client = fleet_client_find(c->api->fleet, c->param);
	struct renewal *r;
	struct fleet_error err;

	c->action = "client.rotate_token";
	c->resource_kind = "client";
	utf8_format(c->resource, sizeof(c->resource), "%s", client ? client->id : c->param);
	if (!client) {
		call_error(c, 404, "client_not_found",
			   "client_not_found: no client has the id or name %.*s",
			   utf8_cut(c->param, 64), c->param);
		return;
	}
	r = renewal_of(c);
	if (r && renewal_token(r, client, rotated, c, &err))
		call_refuse(c, &err);
}
