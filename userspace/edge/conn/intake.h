/* SPDX-License-Identifier: MIT */
/* Clients that come through a load balancer, until it has said who they are. */
#ifndef PORTUNUS_EDGE_CONN_INTAKE_H
#define PORTUNUS_EDGE_CONN_INTAKE_H

#include <stdint.h>

struct accepted;
struct conn_env;
struct service;

/*
 * Takes over an accepted, non-blocking socket of a rule with accept_proxy. Looks for a header of the PROXY
 * protocol if the peer may send one, for 3 s at most, and makes the socket a connection or refuses it, as
 * the rule says; allow and deny mean the announced client. The header stays unread. Worker's thread, as all.
 */
void intake_begin(struct conn_env *env, struct service *service, const struct accepted *client,
		  uint64_t expected_slot);

/* Resets all that wait. */
void intake_end_all(struct conn_env *env);

#endif
