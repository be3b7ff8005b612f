/* SPDX-License-Identifier: MIT */
/* A ring of the last changes of targets' health. */
#ifndef PORTUNUS_SERVER_FLEET_HEALTH_HISTORY_H
#define PORTUNUS_SERVER_FLEET_HEALTH_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The last changes of targets' health that edges reported, the newest CHANGES_MAX of all rules, for
 * the failover timeline. In memory; a start fills it from the history (fleet/history.h). Loop thread.
 */
#define CHANGES_MAX 1024

struct changes;

struct change {
	uint64_t seq; /* from 1 */
	uint64_t at_ms, rule_id;
	uint32_t index; /* of the target, in the rule as it was then */
	uint16_t port;
	bool failed;	/* else healthy again */
	char cause[48]; /* why, in words; "": not known, or healthy */
	char *host;
};

/* NULL for memory. */
struct changes *changes_new(void);
void changes_free(struct changes *c);
/* Adds a copy of @change, its seq set here; forgets the oldest one when full. */
void changes_add(struct changes *c, const struct change *change);
/* The @n'th newest, 0 being the last one added; NULL when there are no more. */
const struct change *changes_newest(const struct changes *c, size_t n);

/* The last one of that target of a rule; NULL when there is none. */
const struct change *changes_last(const struct changes *c, uint64_t rule_id, uint32_t index);

#endif
