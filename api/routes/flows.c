// SPDX-License-Identifier: MIT
/* /v1/rules/{id}/flows */
#include "api/routes/flows.h"

#include "api/call/call.h"
#include "api/call/json.h"
#include "api/call/scope.h"
#include "server/fleet/flows.h"
#include "server/fleet/fleet.h"

static json_t *encode_flow(const struct flow_row *row)
{
	/* What an edge says beyond JSON's signed numbers is nothing that it could have counted. */
	return json_pack("{s:o,s:i,s:o,s:I,s:I,s:I,s:I,s:I,s:I}", "client", json_text(row->client),
			 "listen_port", row->listen_port, "target",
			 *row->target ? json_text(row->target) : json_null(), "age_ms",
			 (json_int_t)row->age_ms, "idle_ms", (json_int_t)row->idle_ms,
			 "datagrams_in", (json_int_t)row->datagrams_in, "datagrams_out",
			 (json_int_t)row->datagrams_out, "bytes_in", (json_int_t)row->bytes_in,
			 "bytes_out", (json_int_t)row->bytes_out);
}

static void on_flows(void *arg, const struct flow_row *rows, size_t n, bool more,
		     const struct fleet_error *err)
{
	struct call *c = arg;
	json_t *list;

	if (err) {
		call_refuse(c, err);
		return;
	}
	list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, encode_flow(&rows[i]));
	call_json(c, 200, json_pack("{s:o,s:b}", "flows", list, "more", more));
}

void flows_get(struct call *c)
{
	struct fleet_rule *r = call_rule(c);

	if (r)
		fleet_flows(c->api->fleet, r, on_flows, c);
}
