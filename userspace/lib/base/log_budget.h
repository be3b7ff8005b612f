/* SPDX-License-Identifier: MIT */
/* How many log lines strangers may cause. */
#ifndef PORTUNUS_LIB_BASE_LOG_BUDGET_H
#define PORTUNUS_LIB_BASE_LOG_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whoever has shown no credential makes the log grow by so many lines in a period, not more. Zeroed
 * at first, one for each kind of event, of one thread.
 */
#define LOG_BUDGET_LINES       20
#define LOG_BUDGET_PERIOD_SECS 10

struct log_budget {
	uint64_t since_ns, left_out;
	unsigned lines;
};

/*
 * Whether a line may be written at @now_ns, of clock_mono_ns(). Then *left_out is how many were not
 * since the last one, for the line to say.
 */
bool log_budget_take(struct log_budget *b, uint64_t now_ns, uint64_t *left_out);

#endif
