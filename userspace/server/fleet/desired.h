/* SPDX-License-Identifier: MIT */
/* Updates that wait for their edge. */
#ifndef PORTUNUS_SERVER_FLEET_DESIRED_H
#define PORTUNUS_SERVER_FLEET_DESIRED_H

#include "server/fleet/model.h"

/*
 * An update from its acceptance to the edge's answer: it lies beside the rule that is in force, in
 * memory and in the store, so that a crash at any moment leaves the rule as the edge has it. All
 * return 0 when @done will be told what became of it, an errno of the store; or -errno at once. After an
 * error nothing has changed.
 */

/*
 * Takes @rule when it returns 0. A former update that was not answered leaves the edge in doubt. While
 * the store has it, the rule is storing.
 */
int desired_set(struct fleet *f, struct fleet_rule *r, struct rule *rule, const char *request_id,
		fleet_rule_done done, void *arg);
/* The edge has taken it over: it is the rule now, and active. */
int desired_confirm(struct fleet *f, struct fleet_rule *r, fleet_rule_done done, void *arg);
/* The edge refused it. */
int desired_drop(struct fleet *f, struct fleet_rule *r, fleet_rule_done done, void *arg);
/* A rule as the store has it, for free(); NULL for memory. */
char *desired_spec(const struct rule *rule);

#endif
