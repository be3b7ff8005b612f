// SPDX-License-Identifier: MIT
/* /v1/rules/{id}/stats */
#include "api/api_internal.h"
#include "api/encode.h"
#include "server/fleet.h"

static void refreshed(void *arg, struct fleet_rule *r)
{
	struct call *c = arg;
	unsigned flags = STATS_PROTOCOL | (call_flag(c, "per_target") ? STATS_PER_TARGET : 0);

	call_add_header(c, "Cache-Control", "no-store");
	if (r)
		call_json(c, 200, encode_stats(r, flags));
	else
		call_error(c, 404, "rule_not_found", "rule_not_found: it has just been removed");
}

void stats_get(struct call *c)
{
	struct fleet_rule *r = call_rule(c);

	if (r)
		fleet_refresh(c->api->fleet, r, refreshed, c);
}
