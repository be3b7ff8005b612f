/* SPDX-License-Identifier: MIT */
/* The two clocks: monotonic for every time-out, wall clock for what people read. */
#ifndef PORTUNUS_LIB_BASE_CLOCK_H
#define PORTUNUS_LIB_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US  1000ull
#define NS_PER_MS  1000000ull
#define NS_PER_SEC 1000000000ull

/* Nanoseconds of CLOCK_MONOTONIC: for every time-out and window. Any thread. */
static inline uint64_t clock_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* Milliseconds since 1970: only for what people and other programs read. Any thread. */
static inline uint64_t clock_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / NS_PER_MS;
}

#endif
