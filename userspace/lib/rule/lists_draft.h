/* SPDX-License-Identifier: MIT */
/* The lists of addresses of a rule as they arrive: taken from JSON, checked, put into the rule. */
#ifndef PORTUNUS_LIB_RULE_LISTS_DRAFT_H
#define PORTUNUS_LIB_RULE_LISTS_DRAFT_H

#include "lib/rule/draft.h"

/* Of JSON: takes the arrays of texts; rule_drop_lists() frees what that needed. 0 or -EINVAL. */
int rule_take_lists(struct rule_draft *d, const struct json_t *object);
void rule_drop_lists(struct rule_draft *d);

/* One of the validator's checks: 0, or -EINVAL with the draft's error filled in. */
int rule_check_lists(const struct rule_draft *d);
/* Puts them into @r. False for memory. */
bool rule_set_lists(struct rule *r, const struct rule_draft *d);

#endif
