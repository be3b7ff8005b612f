// SPDX-License-Identifier: MIT
/* /v1/rules/{id}/stats */
#include "api/routes/stats.h"

#include "api/call/call.h"
#include "api/call/scope.h"
#include "api/call/encode.h"
#include "lib/base/clock.h"
#include "server/fleet/fleet.h"

/* Which ports are asked for: all, or those from ?from to ?to. False: answered. */
static bool wanted_ports(struct call *c, uint64_t *from, uint64_t *to)
{
	bool has_to;

	if (!call_query_number(c, "from", from, NULL) || !call_query_number(c, "to", to, &has_to))
		return false;
	if (!has_to)
		*to = UINT16_MAX;
	return true;
}

static void refreshed(void *arg, struct fleet_rule *r)
{
	struct call *c = arg;
	unsigned flags = STATS_PROTOCOL | (call_flag(c, "per_target") ? STATS_PER_TARGET : 0);
	uint64_t from, to;
	json_t *body, *ports = NULL;

	histogram_add(&c->api->refreshes, (double)(clock_mono_ns() - c->began_ns) / NS_PER_SEC);
	if (!r) {
		call_error(c, 404, "rule_not_found", "rule_not_found: it has just been removed");
		return;
	}
	if (!wanted_ports(c, &from, &to))
		return;
	body = encode_stats(r, flags);
	if (body && call_flag(c, "per_port"))
		ports = encode_ports(r, from, to);
	if (ports)
		json_object_set_new(body, "per_port", ports);
	call_json(c, 200, body);
}

void stats_get(struct call *c)
{
	struct fleet_rule *r = call_rule(c);
	uint64_t from, to;

	if (r && wanted_ports(c, &from, &to))
		fleet_refresh(c->api->fleet, r, call_flag(c, "per_port"), refreshed, c);
}
