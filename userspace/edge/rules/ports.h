/* SPDX-License-Identifier: MIT */
/* A rule's ports: opened on the main thread, served by the workers, changed, retried when they are taken. */
#ifndef PORTUNUS_EDGE_RULES_PORTS_H
#define PORTUNUS_EDGE_RULES_PORTS_H

#include <stdbool.h>

#include "edge/rules/sockets.h"
#include "lib/rule/span.h"

struct rule;
struct rule_state;
struct rule_table;

/*
 * Binds the rule's ports, all or none, and hands the sockets to the workers. A bind that fails makes the rule
 * RULE_FAILED and is tried again by itself, 1 s doubling to 30 s. Main thread, as all of it.
 */
void ports_open(struct rule_state *rs);
/* Asks the workers to close; the ports are free after the next workers_barrier(). */
void ports_close(struct rule_state *rs);

/* From the ports that a rule listens on to others, some of which are the same. */
struct ports_change {
	struct sockets opened;
	struct span is;
	int place;
	uint16_t anchor;
	int anchor_fd;
};

/* Whether the rule listens, and could go on listening while it becomes @next. */
bool ports_can_change(const struct rule_state *rs, const struct rule *next);
/*
 * The first half of a change: binds what is new. Returns 0; or -errno: then nothing has changed, which is
 * logged, and rs->refused says why.
 */
int ports_prepare(struct rule_state *rs, const struct rule *next, struct ports_change *c);
/* The second half, when the new version is in force: serves what is new, and closes what is not kept. */
void ports_commit(struct rule_state *rs, struct ports_change *c);

/* The timer of the rule's retries: made once, before ports_open(). 0 or -ENOMEM. */
int ports_init(struct rule_state *rs);

/* Tries failed binds of rules that have a port of their own again at once. */
void ports_retry(struct rule_table *t);

/* Why a bind failed (@err is -errno), in the contract's words, and what to do about it. */
const char *bind_reason(int err);
const char *bind_hint(int err);

#endif
