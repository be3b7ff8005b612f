/* SPDX-License-Identifier: MIT */
/* How long to wait before the next attempt to reach the server. */
#ifndef PORTUNUS_EDGE_CONTROL_BACKOFF_H
#define PORTUNUS_EDGE_CONTROL_BACKOFF_H

#include <stdint.h>

/*
 * How long to wait before connecting again: anything up to this many milliseconds, drawn evenly (full
 * jitter), so that edges that lost their server together do not come back together. @attempt counts
 * the failures in a row, from 0.
 */
static inline uint32_t control_backoff_ms(uint32_t initial_ms, uint32_t max_ms, unsigned attempt)
{
	uint64_t ms = attempt < 32 ? (uint64_t)initial_ms << attempt : max_ms;

	return ms < max_ms ? (uint32_t)ms : max_ms;
}

#endif
