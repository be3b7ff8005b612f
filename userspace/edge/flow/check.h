/* SPDX-License-Identifier: MIT */
/* The check of a UDP target: a datagram, and whether an answer or an ICMP error comes back. */
#ifndef PORTUNUS_EDGE_FLOW_CHECK_H
#define PORTUNUS_EDGE_FLOW_CHECK_H

#include <stdbool.h>
#include <stdint.h>

struct flow_env;
struct source;
struct talk_script;
struct target;

struct flow_check_want {
	struct target *target;
	struct source *source; /* where it goes out from; may be NULL */
	const struct talk_script
		*script; /* what is sent and expected; NULL: nothing. Lives until done() */
	uint32_t timeout_ms;
	bool prefer_ipv6;
};

/*
 * Checks the target and calls @done once it is over, never from here. An ICMP error, or a name without
 * address within the time-out, is a failure; an answer is a success. Silence for a second says
 * nothing of a Healthy target, since many services answer no empty datagram, and counts as a success
 * of a Failed one: the error that made it Failed did not come again. Where an answer is expected only that
 * is a success, and silence until the time-out a failure. The result goes to the target's health here; errors of ours never do. 0 or -ENOMEM (then @done is not called). Worker's thread.
 */
int flow_check(struct flow_env *env, const struct flow_check_want *want, void (*done)(void *arg),
	       void *arg);

/* Ends those under way without a result, at the end. */
void flow_checks_abandon(struct flow_env *env);

#endif
