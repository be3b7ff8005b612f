/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_LIB_RULE_PROTO_H
#define PORTUNUS_LIB_RULE_PROTO_H

#include "lib/portunus.pb-c.h"
#include "lib/rule.h"

/* A rule as a message: everything in one place, nothing to free. */
struct rule_proto {
	Portunus__V1__Rule msg;
	Portunus__V1__Target targets[RULE_TARGETS_MAX];
	Portunus__V1__Target *rows[RULE_TARGETS_MAX];
};

/*
 * Fills @out, which borrows the texts of @r and points into itself: it must not be copied nor
 * outlive the rule. A single target goes out in the legacy encoding, several as the list with the
 * first mirrored in fields 3 and 4. @options: the peer knows the fields from 1000 up.
 */
void rule_to_proto(const struct rule *r, bool options, struct rule_proto *out);

/*
 * Makes a rule of a message in either encoding, targets in the order they came in, and checks all
 * of it. NULL with err->code holding the reason of a RuleStatus FAILED ("range_invalid",
 * "target_invalid_port:2", …) and err->message a sentence for the log. That texts are UTF-8 and hold
 * no NUL has to be checked before unpacking (proto_text_valid). Rule id 0 is taken: existing servers
 * start there.
 */
struct rule *rule_from_proto(const Portunus__V1__Rule *msg, struct rule_error *err);

#endif
