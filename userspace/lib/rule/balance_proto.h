/* SPDX-License-Identifier: MIT */
/* How a rule shares its connections among targets, on the control channel. */
#ifndef PORTUNUS_LIB_RULE_BALANCE_PROTO_H
#define PORTUNUS_LIB_RULE_BALANCE_PROTO_H

#include "lib/wire/portunus.pb-c.h"

struct rule;
struct rule_draft;

/* The parts of the message that it points to. */
struct balance_proto {
	Portunus__V1__Eject eject;
	Portunus__V1__HealthCheck talk;
};

/* Fills in what @m says of it, its targets included, and reads that. */
void balance_to_proto(const struct rule *r, Portunus__V1__Rule *m, struct balance_proto *parts);
void balance_from_proto(struct rule_draft *d, const Portunus__V1__Rule *m);

#endif
