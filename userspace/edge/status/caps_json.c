// SPDX-License-Identifier: MIT
/* Caps and what they have refused or held back, as JSON. */
#include "edge/status/caps_json.h"

#include <jansson.h>

#include "edge/admit/owners.h"

/* The reasons' names on the wire and in metrics, without their "owner_". */
static const char *const reasons[REFUSALS] = {
	[REFUSED_CONCURRENT] = "conn_concurrent",
	[REFUSED_CONN_RATE] = "conn_rate",
	[REFUSED_FLOW_RATE] = "udp_flow_rate",
};

struct json_t *status_caps_json(const struct rate_limit *limit, const struct envelope_figures *f)
{
	json_t *refused = json_object();

	for (unsigned i = 0; i < REFUSALS; i++)
		json_object_set_new(refused, reasons[i], json_integer((json_int_t)f->refused[i]));
	return json_pack("{s:o*, s:o*, s:f, s:f, s:I, s:I}", "limits", rate_limit_to_json(limit),
			 "reject", refused, "throttle_seconds_in",
			 (double)f->throttled_us[ADMIT_IN] / 1e6, "throttle_seconds_out",
			 (double)f->throttled_us[ADMIT_OUT] / 1e6, "datagrams_dropped",
			 (json_int_t)f->dropped, "active_connections", (json_int_t)f->active);
}

static void add_owner(struct owner *owner, void *arg)
{
	struct envelope_figures figures;
	json_t *o;

	if (!owner->capped)
		return;
	envelope_read(owner->caps, &figures);
	o = status_caps_json(&owner->caps->limit, &figures);
	json_object_set_new(o, "owner", json_string(owner->id));
	json_array_append_new(arg, o);
}

struct json_t *status_owners_json(const struct owners *o)
{
	json_t *all = json_array();

	owners_each(o, add_owner, all);
	return all;
}
