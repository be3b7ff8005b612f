/* SPDX-License-Identifier: MIT */
/* The lines of the stats socket. */
#ifndef PORTUNUS_STANDALONE_FEED_JSON_H
#define PORTUNUS_STANDALONE_FEED_JSON_H

#include <stddef.h>
#include <stdint.h>

struct account;
struct config;
struct config_rule;
struct json_t;
struct rule_table;

/* The greeting, without a newline. The caller's to free; NULL for memory. */
char *feed_hello(const struct config *c, struct rule_table *t, uint64_t started_unix_ms);

/* One rule's figures as JSON text. The caller's to free; NULL for memory, or when the rule is not served. */
char *feed_figures(const struct config_rule *as, struct rule_table *t, struct account *a);

/* All of a snapshot before its rows: the text ends with "[". */
void feed_head(char *buf, size_t size, uint64_t uptime_ms, uint64_t seq);

#endif
