/* SPDX-License-Identifier: MIT */
/* Each minute a log line for each rule. */
#ifndef PORTUNUS_STANDALONE_MINUTE_H
#define PORTUNUS_STANDALONE_MINUTE_H

struct config;
struct feed_parts;
struct minute;

/* @config outlives it, or the next minute_reconfigure(). NULL for memory. Main thread, all of it. */
struct minute *minute_new(const struct feed_parts *parts, const struct config *config);
void minute_reconfigure(struct minute *m, const struct config *config);
void minute_free(struct minute *m);

#endif
