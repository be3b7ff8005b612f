/* SPDX-License-Identifier: MIT */
/* How a rule shares its connections among targets, and what becomes of a bad one, as keys of a rule. */
#ifndef PORTUNUS_LIB_RULE_BALANCE_H
#define PORTUNUS_LIB_RULE_BALANCE_H

#include <stdbool.h>

struct json_t;
struct rule;
struct rule_draft;

/* One of the validator's checks: 0 or -EINVAL. */
int rule_check_balance(const struct rule_draft *d);
/* Takes the keys over; false for memory. */
bool rule_set_balance(struct rule *r, const struct rule_draft *d);

/* Sets the members of @o that are not the default; 0 or -1 as jansson's own functions. */
int rule_balance_to_json(struct json_t *o, const struct rule *r);

#endif
