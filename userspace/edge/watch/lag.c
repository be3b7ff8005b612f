// SPDX-License-Identifier: MIT
/* The lag of the main loop: the longest of the last half minute. */
#include "edge/watch/lag.h"

#include "lib/base/clock.h"

#define TICK_NS	  NS_PER_SEC
#define WINDOW_NS (30 * NS_PER_SEC)

void loop_lag_tick(struct loop_lag *l, uint64_t now_ns)
{
	uint64_t late = now_ns - l->last_ns;

	if (l->last_ns && late > TICK_NS && late - TICK_NS > l->now_ns)
		l->now_ns = late - TICK_NS;
	l->last_ns = now_ns;
	if (now_ns - l->since_ns < WINDOW_NS)
		return;
	l->before_ns = l->now_ns;
	l->now_ns = 0;
	l->since_ns = now_ns;
}

uint64_t loop_lag_ns(const struct loop_lag *l)
{
	return l->now_ns > l->before_ns ? l->now_ns : l->before_ns;
}
