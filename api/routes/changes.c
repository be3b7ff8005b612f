// SPDX-License-Identifier: MIT
/* /v1/health-changes: which target failed or came back when, newest first. */
#include "api/routes/changes.h"

#include "api/call/call.h"
#include "api/call/json.h"
#include "api/call/scope.h"
#include "server/fleet/health_history.h"
#include "server/fleet/fleet.h"

static json_t *encode_change(const struct change *h)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:o,s:i,s:b,s:o}", "seq", (json_int_t)h->seq,
			 "at_unix_ms", (json_int_t)h->at_ms, "rule_id", (json_int_t)h->rule_id,
			 "index", (json_int_t)h->index, "host", json_text(h->host), "port", h->port,
			 "failed", h->failed, "cause",
			 h->cause[0] ? json_text(h->cause) : json_null());
}

/*
 * Query: rule=ID for one rule, since=UNIX_MS for what came after. Changes of rules that are gone, or
 * not the caller's, are left out.
 */
void changes_get(struct call *c)
{
	const struct changes *all = fleet_changes(c->api->fleet);
	const struct change *h;
	uint64_t rule, since;
	json_t *list;

	if (!call_query_number(c, "rule", &rule, NULL) ||
	    !call_query_number(c, "since", &since, NULL))
		return;
	list = json_array();
	for (size_t i = 0; (h = changes_newest(all, i)); i++) {
		const struct fleet_rule *r = fleet_rule(c->api->fleet, h->rule_id);

		if (r && call_may_see(c, r) && (!rule || rule == h->rule_id) && h->at_ms >= since)
			json_array_append_new(list, encode_change(h));
	}
	call_json(c, 200, list);
}
