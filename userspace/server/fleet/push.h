/* SPDX-License-Identifier: MIT */
/* What operators do to rules: push, update, remove. */
#ifndef PORTUNUS_SERVER_FLEET_PUSH_H
#define PORTUNUS_SERVER_FLEET_PUSH_H

#include "server/fleet/wait.h"

/* What operators do to rules. */

/*
 * Checks client, connection, gates and ports, stores the rule as pending, sends it and waits for
 * the edge. Takes @rule, owner set, in every case. Returns 0 when @done will be called, or -1 with
 * @err filled in and nothing to be stored.
 */
int fleet_push(struct fleet *f, struct rule *rule, fleet_done done, void *arg,
	       struct fleet_error *err);
/*
 * Replaces a rule's targets, interval and time-outs; else as fleet_push(). The rule stays what it
 * is until the edge has taken the new one over. A change that has waited for longer than the usual
 * time-out gives way to a newer one (409 conflict).
 */
int fleet_update(struct fleet *f, struct fleet_rule *r, struct rule *rule, fleet_done done,
		 void *arg, struct fleet_error *err);
/* Has the edge give new connections to the rule's best target again: told, not awaited. 0, or -1 with
 * @err filled in. */
int fleet_fail_back(struct fleet_rule *r, struct fleet_error *err);
/*
 * Removes a rule everywhere; does not wait for the edge. 0: @done will be told what became of it, an errno
 * of the store (-ENOENT: it was removed meanwhile); or -errno.
 */
int fleet_remove(struct fleet *f, struct fleet_rule *r, store_done done, void *arg);

#endif
