/* SPDX-License-Identifier: MIT */
/* What an envelope of caps may say. */
#ifndef PORTUNUS_LIB_RULE_CHECK_LIMIT_H
#define PORTUNUS_LIB_RULE_CHECK_LIMIT_H

struct rule_draft;

/* 0, or -EINVAL with the draft's error filled in. */
int check_rate_limit(const struct rule_draft *d);

#endif
