/* SPDX-License-Identifier: MIT */
/* The lag of the main loop: the longest of the last half minute. */
#ifndef PORTUNUS_EDGE_WATCH_LAG_H
#define PORTUNUS_EDGE_WATCH_LAG_H

#include <stdint.h>

/* How late the main loop is: told by a timer of one second. All zero at first. Main thread. */
struct loop_lag {
	uint64_t last_ns;	    /* when it fired last */
	uint64_t since_ns;	    /* the half minute that @now is of */
	uint64_t now_ns, before_ns; /* the longest of this half minute, and of the one before */
};

/* The timer has fired. */
void loop_lag_tick(struct loop_lag *l, uint64_t now_ns);
/* The longest lag of the last half minute, or a little more. */
uint64_t loop_lag_ns(const struct loop_lag *l);

#endif
