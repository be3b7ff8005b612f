/* SPDX-License-Identifier: MIT */
/* The flows of a UDP rule for the server that asked: gathered from the workers, sent in one message. */
#ifndef PORTUNUS_EDGE_CONTROL_FLOW_LIST_H
#define PORTUNUS_EDGE_CONTROL_FLOW_LIST_H

#include <stdint.h>

#include "lib/wire/portunus.pb-c.h"

struct event_base;
struct flow_lists;
struct worker;

struct flow_list_config {
	struct event_base *base;
	struct worker *workers;
	unsigned n_workers;
	void (*send)(void *arg, Portunus__V1__FlowList *list);
	void *arg;
};

/* NULL for memory. Main thread, all of it. */
struct flow_lists *flow_lists_new(const struct flow_list_config *config);
/* Before the workers stop. */
void flow_lists_free(struct flow_lists *l);

/*
 * Gathers the flows of a rule and sends them. Of requests beyond FLOW_LISTS_MAX at a time nothing comes:
 * whoever asks has a time-out.
 */
#define FLOW_LISTS_MAX 4
void flow_list_answer(struct flow_lists *l, uint64_t request_id, uint64_t rule_id);
/* The session is over: what is under way is for nobody. */
void flow_lists_end(struct flow_lists *l);

#endif
