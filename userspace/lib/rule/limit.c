// SPDX-License-Identifier: MIT
/* An envelope of caps as a value: its keys, its bursts, compared and shown. */
#include "lib/rule/limit.h"

#include <jansson.h>

const char *const limit_key_names[LIMIT_KEYS] = {
	[LIMIT_IN_BPS] = "bandwidth_in_bps",
	[LIMIT_OUT_BPS] = "bandwidth_out_bps",
	[LIMIT_NEW_PER_SEC] = "new_connections_per_sec",
	[LIMIT_CONCURRENT] = "concurrent_connections",
	[LIMIT_IN_BURST] = "bandwidth_in_burst",
	[LIMIT_OUT_BURST] = "bandwidth_out_burst",
	[LIMIT_NEW_BURST] = "new_connections_burst",
	[LIMIT_CONCURRENT_BURST] = "concurrent_connections_burst",
};

uint64_t rate_limit_burst(const struct rate_limit *l, enum limit_key rate)
{
	static const enum limit_key bursts[] = {
		[LIMIT_IN_BPS] = LIMIT_IN_BURST,
		[LIMIT_OUT_BPS] = LIMIT_OUT_BURST,
		[LIMIT_NEW_PER_SEC] = LIMIT_NEW_BURST,
	};

	return rate_limit_has(l, bursts[rate]) ? l->value[bursts[rate]] : rate_limit_value(l, rate);
}

bool rate_limit_equal(const struct rate_limit *a, const struct rate_limit *b)
{
	if (a->has != b->has)
		return false;
	for (enum limit_key i = 0; i < LIMIT_KEYS; i++)
		if (rate_limit_value(a, i) != rate_limit_value(b, i))
			return false;
	return true;
}

struct json_t *rate_limit_to_json(const struct rate_limit *l)
{
	json_t *o = json_object();
	int rc = 0;

	for (enum limit_key i = 0; o && i < LIMIT_KEYS; i++)
		if (rate_limit_has(l, i))
			rc |= json_object_set_new(o, limit_key_names[i],
						  json_integer((json_int_t)l->value[i]));
	if (!rc)
		return o;
	json_decref(o);
	return NULL;
}
