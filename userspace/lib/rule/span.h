/* SPDX-License-Identifier: MIT */
/* The ports that a rule listens on, and which port of a target belongs to each. */
#ifndef PORTUNUS_LIB_RULE_SPAN_H
#define PORTUNUS_LIB_RULE_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/rule/rule.h"

/* Ports from .first to .last, both included. */
struct span {
	uint16_t first, last;
};

/* Of a rule without an end it is one port. */
static inline struct span rule_span(const struct rule *r)
{
	return (struct span){r->listen_port, r->listen_port_end > r->listen_port
						     ? r->listen_port_end
						     : r->listen_port};
}

static inline unsigned span_len(struct span s)
{
	return s.last - s.first + 1u;
}

static inline bool span_has(struct span s, unsigned port)
{
	return port >= s.first && port <= s.last;
}

static inline bool span_meet(struct span a, struct span b)
{
	return a.first <= b.last && b.first <= a.last;
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.first == b.first && a.last == b.last;
}

static inline bool rule_is_range(const struct rule *r)
{
	return r->listen_port_end > r->listen_port;
}

/*
 * Where a client that came by @listen_port, a port of the rule, is sent at the target in that row: the
 * target's port is the start of a range of the same length, unless it has all of them for itself.
 */
static inline uint16_t rule_target_port(const struct rule *r, unsigned row, uint16_t listen_port)
{
	const struct rule_target *t = &r->targets[row];

	return t->same_port ? t->port : (uint16_t)(t->port + (listen_port - r->listen_port));
}

#endif
