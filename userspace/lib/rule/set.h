/* SPDX-License-Identifier: MIT */
/* Whether rules can be served together: no two want the same port, no two have the same id. */
#ifndef PORTUNUS_LIB_RULE_SET_H
#define PORTUNUS_LIB_RULE_SET_H

#include <stddef.h>

struct rule;
struct rule_error;

struct rule_set {
	struct rule *const *rules; /* a NULL among them is not there */
	size_t n;
	const char *name;    /* in messages: "rules" for rules[3] */
	const char *id_hint; /* how a rule gets an id without asking for one */
	struct rule_error *err;
	size_t at; /* the later of the two that exclude each other */
};

/* 0; -EINVAL with @s->err, but for its place, and @s->at filled in; -ENOMEM. Any thread. */
int rule_set_check(struct rule_set *s);

#endif
