// SPDX-License-Identifier: MIT
/* /v1/health-changes: which target failed or came back when, newest first. */
#include <errno.h>
#include <stdlib.h>

#include "api/api_internal.h"
#include "server/changes.h"
#include "server/fleet.h"

/* A number of the query; false: answered. 0 when absent. */
static bool read_number(struct call *c, const char *name, uint64_t *out)
{
	char *text = call_query(c, name), *end;
	bool good = true;

	*out = 0;
	if (text && *text) {
		errno = 0;
		*out = strtoull(text, &end, 10);
		good = *text >= '0' && *text <= '9' && !*end && !errno;
	}
	free(text);
	if (!good)
		call_error(c, 400, "invalid_query", "invalid_query: %s has to be a number", name);
	return good;
}

static json_t *encode_change(const struct change *h)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:s,s:i,s:b}", "seq", (json_int_t)h->seq, "at_unix_ms",
			 (json_int_t)h->at_ms, "rule_id", (json_int_t)h->rule_id, "index",
			 (json_int_t)h->index, "host", h->host, "port", h->port, "failed",
			 h->failed);
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

	if (!read_number(c, "rule", &rule) || !read_number(c, "since", &since))
		return;
	list = json_array();
	for (size_t i = 0; (h = changes_newest(all, i)); i++) {
		const struct fleet_rule *r = fleet_rule(c->api->fleet, h->rule_id);

		if (r && call_may_see(c, r) && (!rule || rule == h->rule_id) && h->at_ms >= since)
			json_array_append_new(list, encode_change(h));
	}
	call_json(c, 200, list);
}
