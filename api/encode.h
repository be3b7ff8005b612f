/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_API_ENCODE_H
#define PORTUNUS_API_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "server/fleet.h"

/* What the fleet's structs look like as JSON. All give a new reference, or NULL for memory. */

/* "2026-05-08T10:42:11.120Z"; null for 0. */
json_t *encode_time(uint64_t unix_ms);
/* A row of the list of rules. */
/* As encode_rule(), @with_stats with the figures that the page shows in its lists. */
json_t *encode_rule_row(const struct fleet_rule *r, bool with_stats);
json_t *encode_rule(const struct fleet_rule *r);
/* The answer to a push or an update. */
json_t *encode_pushed(const struct fleet_rule *r);
enum encode_stats { STATS_PROTOCOL = 1, STATS_PER_TARGET = 2 };
/* The figures of a rule; zeros before its first report. */
json_t *encode_stats(const struct fleet_rule *r, unsigned flags);
json_t *encode_client(const struct fleet_client *c);

#endif
