// SPDX-License-Identifier: MIT
/* What an envelope of caps may say, in the contract's order. */
#include "lib/rule/check_limit.h"

#include <stdio.h>

#include "lib/rule/draft.h"

/* Which cap each burst belongs to; the rest have none. */
static const struct {
	enum limit_key rate, burst;
} bursts[] = {
	{LIMIT_IN_BPS, LIMIT_IN_BURST},
	{LIMIT_OUT_BPS, LIMIT_OUT_BURST},
	{LIMIT_NEW_PER_SEC, LIMIT_NEW_BURST},
};

static int refuse(const struct rule_draft *d, const char *code, enum limit_key key,
		  const char *text)
{
	char field[64];

	snprintf(field, sizeof(field), "%s%s", d->limit_alone ? "" : "rate_limit.",
		 limit_key_names[key]);
	return rule_refuse(d, 400, code, -1, field, text);
}

/* At most a minute's worth, and at least the hundredth part of a second's. */
static bool in_range(uint64_t burst, uint64_t rate)
{
	uint64_t most = rate > UINT64_MAX / 60 ? UINT64_MAX : rate * 60;

	return burst >= 1 && burst >= rate / 100 && burst <= most;
}

int check_rate_limit(const struct rule_draft *d)
{
	const struct draft_value *limit = d->limit;

	if (limit[LIMIT_CONCURRENT_BURST].has)
		return refuse(d, "validation.rate_limit_burst_unsupported", LIMIT_CONCURRENT_BURST,
			      "concurrent connections have no burst");
	for (enum limit_key i = LIMIT_IN_BPS; i <= LIMIT_CONCURRENT; i++)
		if (limit[i].has && limit[i].u == 0)
			return refuse(d, "validation.rate_limit_cap_zero", i, "must be at least 1");
	for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++)
		if (limit[bursts[i].burst].has && !limit[bursts[i].rate].has)
			return refuse(d, "validation.rate_limit_burst_without_rate",
				      bursts[i].burst, "needs its rate beside it");
	for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++)
		if (limit[bursts[i].burst].has &&
		    !in_range(limit[bursts[i].burst].u, limit[bursts[i].rate].u))
			return refuse(d, "validation.rate_limit_burst_range", bursts[i].burst,
				      "must be between a hundredth of its rate and 60 times it");
	return 0;
}
