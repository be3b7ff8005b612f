/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_GATES_H
#define PORTUNUS_SERVER_GATES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/rule.h"

/* A refusal with what the contract adds to the envelope of a gate's code; "" where it does not apply. */
struct fleet_error {
	struct rule_error e;
	char client_version[32], required[16];
};

/* What the gates know of an edge: what its Hello said. */
struct gate_peer {
	const char *version; /* client_version, or "" when the Hello carried none */
	bool udp;	     /* supported_protocols lists UDP */
	bool rule_options;   /* CAPABILITY_RULE_OPTIONS */
};

/* Whether @version is at least @major.@minor. Only these two count; what is no number is 0. */
bool gate_version_at_least(const char *version, unsigned major, unsigned minor);

/* Whether an edge can have a rule: 0, or -EPERM with @err filled in. An edge without a version is
 * too old for everything that has a floor (DECISIONS 16). */
int gate_rule(const struct gate_peer *peer, const struct rule *rule, struct fleet_error *err);

#endif
