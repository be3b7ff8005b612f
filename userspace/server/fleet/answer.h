/* SPDX-License-Identifier: MIT */
/* What an edge says about a rule, and what becomes of the rule and of who waits for it. */
#ifndef PORTUNUS_SERVER_FLEET_ANSWER_H
#define PORTUNUS_SERVER_FLEET_ANSWER_H

#include "server/fleet/sessions.h"

/* An edge's word about a rule: the answer to a push, or news. Of struct session_events. */
void answer_on_status(struct session *s, struct fleet_rule *r, const char *request_id,
		      enum fleet_outcome outcome, const char *reason);
/* No update waits any more, and the edge may have one: it is told what it has to have. */
void answer_settle_doubt(struct fleet_rule *r);
/* Whoever waits for an answer of that client waits in vain. */
void answer_on_session_end(struct fleet *f, struct fleet_client *c);
/* A rule goes out of memory, with the push that waits and all who watch. */
void answer_drop_rule(struct fleet *f, struct fleet_rule *r);

#endif
