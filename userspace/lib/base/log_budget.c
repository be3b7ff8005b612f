// SPDX-License-Identifier: MIT
/* How many log lines strangers may cause. */
#include "lib/base/log_budget.h"

#include "lib/base/clock.h"

bool log_budget_take(struct log_budget *b, uint64_t now_ns, uint64_t *left_out)
{
	if (now_ns - b->since_ns > LOG_BUDGET_PERIOD_SECS * NS_PER_SEC) {
		b->since_ns = now_ns;
		b->lines = 0;
	}
	if (b->lines >= LOG_BUDGET_LINES) {
		b->left_out++;
		return false;
	}
	b->lines++;
	*left_out = b->left_out;
	b->left_out = 0;
	return true;
}
