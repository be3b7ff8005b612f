/* SPDX-License-Identifier: MIT */
/* The UDP ports of a rule on one worker: opened, given another version of the rule, swept, closed. */
#ifndef PORTUNUS_EDGE_FLOW_PORT_H
#define PORTUNUS_EDGE_FLOW_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/rule/span.h"

struct flow;
struct flow_env;
struct flow_port;
struct service;
struct target;

/* The environment's loop, resolver, limits and fd_limit are filled in. Worker's thread, all of it. */
void flow_env_init(struct flow_env *env);
/* After the last port is closed and the loop has freed what was deferred. */
void flow_env_close(struct flow_env *env);

/* A rule's flows on this worker, without a port yet; takes over a reference of @service. NULL without
 * memory. */
struct flow_port *flow_port_new(struct flow_env *env, struct service *service);

/* Serves @fd, bound to port @number of the rule, which it takes over. 0, or -errno with the fd closed. */
int flow_port_add(struct flow_port *p, int fd, uint16_t number);
/* Closes the sockets of ports outside @keep, and ends their flows. */
void flow_port_trim(struct flow_port *p, struct span keep);

/* New flows get another version of the rule; takes over its reference. Flows whose target it lacks
 * move with their next datagram. */
void flow_port_set_service(struct flow_port *p, struct service *service);

/* Ends its flows and closes the sockets: the ports are free at once. */
void flow_port_close(struct flow_port *p);

/* Ends the flows of one target. */
void flow_end_target(struct flow_env *env, const struct target *t);

/* Calls @visit for each flow of the worker, until that returns false. */
void flow_each(struct flow_env *env, bool (*visit)(const struct flow *f, void *arg), void *arg);

#endif
