/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_CHANGES_H
#define PORTUNUS_SERVER_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The last changes of targets' health that edges reported, the newest CHANGES_MAX of all rules, for
 * the failover timeline. In memory only: it begins anew with the server. The loop's thread.
 */
#define CHANGES_MAX 1024

struct changes;

struct change {
	uint64_t seq; /* from 1 */
	uint64_t at_ms, rule_id;
	uint32_t index; /* of the target, in the rule as it was then */
	uint16_t port;
	bool failed; /* else healthy again */
	char *host;
};

/* NULL for memory. */
struct changes *changes_new(void);
void changes_free(struct changes *c);
/* Adds a copy of @change, its seq set here; forgets the oldest one when full. */
void changes_add(struct changes *c, const struct change *change);
/* The @n'th newest, 0 being the last one added; NULL when there are no more. */
const struct change *changes_newest(const struct changes *c, size_t n);

#endif
