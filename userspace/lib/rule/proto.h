/* SPDX-License-Identifier: MIT */
/* Rules as messages of the control channel, in both encodings. */
#ifndef PORTUNUS_LIB_RULE_PROTO_H
#define PORTUNUS_LIB_RULE_PROTO_H

#include "lib/rule/balance_proto.h"
#include "lib/wire/portunus.pb-c.h"
#include "lib/rule/rule.h"

/* A rule as a message: everything in one place, nothing to free. */
struct rule_proto {
	Portunus__V1__Rule msg;
	Portunus__V1__Target targets[RULE_TARGETS_MAX];
	Portunus__V1__Target *rows[RULE_TARGETS_MAX];
	Portunus__V1__RateLimit limit;
	struct balance_proto balance;
};

/*
 * Fills @out, which borrows the texts of @r and points into itself: it must not be copied nor
 * outlive the rule. A single target goes out in the legacy encoding, unless the rule has caps or a PROXY
 * header, which existing edges know with the list alone; several as the list with the first mirrored in
 * fields 3 and 4. @options: the peer knows the fields from 1000 up.
 */
void rule_to_proto(const struct rule *r, bool options, struct rule_proto *out);

void rate_limit_to_proto(const struct rate_limit *l, Portunus__V1__RateLimit *out);
/* An envelope that stands alone, checked as those of rules are. 0 or -EINVAL with @err filled in. */
int rate_limit_from_proto(const Portunus__V1__RateLimit *msg, struct rate_limit *out,
			  struct rule_error *err);

/*
 * Makes a rule of a message in either encoding, targets in the order they came in, and checks all
 * of it. NULL with err->code holding the reason of a RuleStatus FAILED ("range_invalid",
 * "target_invalid_port:2", …) and err->message a sentence for the log. That texts are UTF-8 and hold
 * no NUL has to be checked before unpacking (proto_text_valid). Rule id 0 is taken: existing servers
 * start there.
 */
struct rule *rule_from_proto(const Portunus__V1__Rule *msg, struct rule_error *err);

#endif
