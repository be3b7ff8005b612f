/* SPDX-License-Identifier: MIT */
/* Which edge is new enough for which rule. */
#ifndef PORTUNUS_SERVER_FLEET_COMPATIBILITY_H
#define PORTUNUS_SERVER_FLEET_COMPATIBILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "server/fleet/error.h"

/* What the gates know of an edge: what its Hello said. */
struct gate_peer {
	const char *version; /* client_version, or "" when the Hello carried none */
	bool udp;	     /* supported_protocols lists UDP */
	bool proxy;	     /* CAPABILITY_PROXY; an edge of 0.10 needs no word for it */
	bool rate_limit;     /* CAPABILITY_RATE_LIMIT; nor does one of 0.11 */
	bool sni;	     /* CAPABILITY_SNI; one of 0.9 needs none */
	bool rule_options;   /* CAPABILITY_RULE_OPTIONS */
	bool source_options; /* CAPABILITY_SOURCE */
	bool balance;	     /* CAPABILITY_BALANCE */
	bool range_targets;  /* CAPABILITY_RANGE_TARGETS */
	bool kernel_relay;   /* CAPABILITY_KERNEL_RELAY */
};

/* Whether @version is at least @major.@minor. Only these two count; what is no number is 0. */
bool gate_version_at_least(const char *version, unsigned major, unsigned minor);

/* Whether an edge can cap anything: as gate_rule(). */
int gate_caps(const struct gate_peer *peer, struct fleet_error *err);

/* Whether an edge can have a rule: 0, or -EPERM with @err filled in. An edge without a version is
 * too old for everything that has a floor. */
int gate_rule(const struct gate_peer *peer, const struct rule *rule, struct fleet_error *err);

#endif
