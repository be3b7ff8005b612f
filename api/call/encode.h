/* SPDX-License-Identifier: MIT */
/* The JSON bodies of rules, their figures, and clients. */
#ifndef PORTUNUS_API_CALL_ENCODE_H
#define PORTUNUS_API_CALL_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "api/call/etag.h"
#include "server/fleet/fleet.h"

/* What the fleet's structs look like as JSON. All give a new reference, or NULL for memory. */

/* "2026-05-08T10:42:11.120Z"; null for 0. */
json_t *encode_time(uint64_t unix_ms);
/* A row of the list of rules. */
json_t *encode_rule(const struct fleet_rule *r);
/* As encode_rule(), @with_stats with the figures that the page shows in its lists. */
json_t *encode_rule_row(const struct fleet_rule *r, bool with_stats);
/*
 * Writes the version of a rule for its entity tag (etag.h): of what was set by people, not of health
 * and state. False for memory.
 */
bool encode_version(const struct fleet_rule *r, char out[ETAG_SIZE]);
/* The answer to a push or an update. */
json_t *encode_pushed(const struct fleet_rule *r);
enum encode_stats { STATS_PROTOCOL = 1, STATS_PER_TARGET = 2 };
/* Rows of the ports from @from to @to as the last report of them had them; NULL: there are none. */
json_t *encode_ports(const struct fleet_rule *r, uint64_t from, uint64_t to);
/* The figures of a rule; zeros before its first report. */
json_t *encode_stats(const struct fleet_rule *r, unsigned flags);
json_t *encode_client(const struct fleet_client *c);

#endif
