/* SPDX-License-Identifier: MIT */
/* Ports that several rules share: which server name leads to which of them, and the sockets they have together. */
#ifndef PORTUNUS_EDGE_RULES_SNI_H
#define PORTUNUS_EDGE_RULES_SNI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/conn/sni_port.h"

struct rule;
struct rule_state;
struct rule_table;

/*
 * A group is one listening place (port and address) whose rules are told apart by server names. It is there
 * while one of them has a pattern; it takes its sockets over from a rule that had the place for itself
 * before, and leaves them to the fallback when the last pattern goes, so no client is refused by that.
 * Changes are noted by sni_enter(), sni_changed() and sni_leave() and put in force, all at once, by sni_settle(). Main
 * thread, all of it.
 */

/* Whether @rs shares a port from now on, or still, with those that are there or come: then it has no port of
 * its own. */
bool sni_enter(struct rule_state *rs);
/* There is another version of it. */
void sni_changed(struct rule_state *rs);
/* It does so no more, or did not. */
void sni_leave(struct rule_state *rs);

/* Asks for the end of those without a rule whose place none of @rules takes. Whether a barrier is needed. */
bool sni_close_unwanted(struct rule_table *t, struct rule *const *rules, size_t n);

/*
 * Puts all changes in force; returns when they are. Whoever got another state by that is told of by
 * rules_changed(), but for @asker (may be NULL), whose state the caller looks at.
 */
void sni_settle(struct rule_table *t, const struct rule_state *asker);

/* Tries failed binds again at once. */
void sni_retry(struct rule_table *t);
/* Stops listening, for good; a barrier follows. */
void sni_stop_listening(struct rule_table *t);
/* After the workers have stopped. */
void sni_forget_all(struct rule_table *t);

/* One member of a group. */
struct sni_member {
	uint64_t rule_id;
	const char *pattern; /* NULL: the fallback */
};

/* A group, as it is shown; valid during the callback. */
struct sni_group_view {
	uint16_t port;
	uint64_t version; /* of the routes: one more with each that the workers got */
	struct sni_sums sums;
	const struct sni_member *members; /* those that are served, by pattern */
	size_t n;
};

/* Calls @visit for each. */
void sni_each(const struct rule_table *t, void (*visit)(const struct sni_group_view *v, void *arg),
	      void *arg);

#endif
