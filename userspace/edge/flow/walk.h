/* SPDX-License-Identifier: MIT */
/* A flow's way over the targets of its rule: who gets its datagrams, and who when that one fails. */
#ifndef PORTUNUS_EDGE_FLOW_WALK_H
#define PORTUNUS_EDGE_FLOW_WALK_H

struct flow;
struct flow_env;

/*
 * Connects the flow's socket to the best target that takes one, and sends it what is held; or waits
 * for a name. With no target left the flow is closed. @f->io.event is set already. Worker's thread,
 * as all of it.
 */
void flow_walk(struct flow *f);

/*
 * The way to the target says no: @err, an ICMP error's or a send's. Before the first answer that is
 * the target's failure, and the next one gets what is held; after it the flow ends.
 */
void flow_failed(struct flow *f, int err);

/*
 * A datagram is about to go to the flow's target: where the rule has a time-out for answers and none runs
 * for an answer that has not come, it begins anew.
 */
void flow_expect_answer(struct flow *f);

/* The first datagram from the target: a success, and nothing needs to be held any more. */
void flow_answered(struct flow *f);

/* Begins anew with the rule's present version, where that no longer has the flow's target. */
void flow_rehome(struct flow *f);

/* Asks the resolver again for all flows that wait for a name. */
void flow_names_ready(struct flow_env *env);

#endif
