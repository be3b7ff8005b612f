/* SPDX-License-Identifier: MIT */
/* What happens while the edge runs: news of rules and the network, every second, signals, the end. */
#ifndef PORTUNUS_EDGE_EVENTS_H
#define PORTUNUS_EDGE_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "edge/target/health.h"

struct program;
struct refresh;
struct rule_state;
struct target;

/* The callbacks of the parts; each @arg is the struct program. Main thread, all of it. */
void program_rules_changed(void *arg, struct rule_state *rs);
void program_health_changed(void *arg, struct rule_state *rs, struct target *t,
			    enum health_state to);
void program_network_changed(void *arg);
void program_account_event(void *arg, uint64_t slot, int kind, int error);
void program_reloaded(void *arg);
void program_refreshed(struct refresh *r);

/* Signals, timers, news of the kernel. 0 or -ENOMEM. */
int program_add_events(struct program *p);
void program_free_events(struct program *p);

/* A line for whoever looks at the service; returns @buf. */
const char *program_status_line(const struct program *p, char *buf, size_t size);

#endif
