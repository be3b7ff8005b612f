/* SPDX-License-Identifier: MIT */
/* The stats socket: a greeting that names the rules, then figures at regular intervals, as lines of JSON. */
#ifndef PORTUNUS_STANDALONE_FEED_H
#define PORTUNUS_STANDALONE_FEED_H

#include <stdint.h>

struct account;
struct config;
struct event_base;
struct feed;
struct refresher;
struct rule_table;

/* Whom the feed asks. All of it outlives the feed. */
struct feed_parts {
	struct event_base *base;
	struct rule_table *table;
	struct account *account;
	struct refresher *refresher;
};

/*
 * Serves readers at @path, 16 at most. @config outlives the feed, or the next feed_reconfigure(). NULL with
 * errno set. Main thread, all of it.
 */
struct feed *feed_new(const struct feed_parts *parts, const struct config *config,
		      const char *path);
/* Ends every reader, and removes the socket file. NULL is none. */
void feed_free(struct feed *f);

/* Other rules or settings. Readers whose greeting holds no longer are ended; they come again for the new one. */
void feed_reconfigure(struct feed *f, const struct config *config);

#endif
