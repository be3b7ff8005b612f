/* SPDX-License-Identifier: MIT */
/* In which order one connection tries the targets of its rule, and who takes new ones. */
#ifndef PORTUNUS_EDGE_TARGET_CHOOSE_H
#define PORTUNUS_EDGE_TARGET_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/target/service.h"

union addr;

/*
 * The order in which a connection or flow from @client tries the rows of @s. A rule that prefers its
 * rows as they stand gives the one order that all share; else it is written to @own. Counts as a turn of
 * the row that is first, where rows take turns. @client is read only where the rule hashes it. Any
 * thread; takes no lock.
 */
const uint8_t *service_choose(const struct service *s, const union addr *client,
			      uint8_t own[RULE_TARGETS_MAX]);

/* Whether choosing needs to know who the client is. */
static inline bool service_needs_client(const struct service *s)
{
	return s->rule->balance == RULE_BALANCE_HASH;
}

/*
 * The next row of @order to dial, given those that were (@dialled, a bit each): the first that is
 * Healthy now, else the first that is Failed; never one that is drained. -1: none is left.
 */
int service_next(const struct service *s, const uint8_t *order, unsigned dialled);

/* The row that stands for who takes new connections: of several that share them the first; -1: all are
 * drained. Any thread. */
int service_current(const struct service *s);
/* Whether new connections go to @row, or to it and others. */
bool service_takes_new(const struct service *s, unsigned row);

/* Whether one of those that share connections with @t works beside it; with balance "order" one of all. */
bool service_has_other(const struct service *s, const struct target *t);

/* A target has changed its health, or was drained: settles who takes new connections, which the next
 * one would do as well. */
void service_settle(const struct service *s);

/* Of a rule with failback "manual": the best that works takes new connections again. Returns whether
 * that is another than before. */
bool service_fail_back(const struct service *s);

#endif
