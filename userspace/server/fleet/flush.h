/* SPDX-License-Identifier: MIT */
/* States and counters of rules, stored in batches. */
#ifndef PORTUNUS_SERVER_FLEET_FLUSH_H
#define PORTUNUS_SERVER_FLEET_FLUSH_H

#include "server/fleet/model.h"

#define FLEET_COUNTERS_FLUSH_SEC 5

/* Starts the timer that stores counters and states in batches. 0 or -ENOMEM. */
int model_flush_start(struct fleet *f);
void model_flush_stop(struct fleet *f);
/* Stores all that waits, now. */
void model_flush(struct fleet *f);

/*
 * Stores a state, then sets it, unless there is a newer one by then. 0: @done will be told what became of
 * it, an errno of the store; or -errno.
 */
int model_set_state(struct fleet *f, struct fleet_rule *r, enum fleet_state state,
		    const char *reason, fleet_rule_done done, void *arg);
/* The same for states that nobody waits for: stored with the next flush, all in one transaction. */
void model_set_state_later(struct fleet *f, struct fleet_rule *r, enum fleet_state state,
			   const char *reason);

#endif
