/* SPDX-License-Identifier: MIT */
/* The lists of addresses of a rule, as data: their keys and where they lie. */
#ifndef PORTUNUS_LIB_RULE_LISTS_H
#define PORTUNUS_LIB_RULE_LISTS_H

#include <stddef.h>

#include "lib/rule/rule.h"

/* Keys whose value is a list of addresses or blocks of them. */
enum list_key { LIST_SOURCE, LIST_ALLOW, LIST_DENY, LIST_ACCEPT_FROM, RULE_LISTS };

struct rule_list {
	const char *name; /* of the key, in JSON */
	size_t offset;	  /* of the struct rule_blocks * in struct rule */
	bool single;	  /* a text alone is as good as a list of it */
};

extern const struct rule_list rule_lists[RULE_LISTS];

static inline struct rule_blocks **rule_list(struct rule *r, const struct rule_list *l)
{
	return (struct rule_blocks **)((char *)r + l->offset);
}

static inline const struct rule_blocks *rule_list_value(const struct rule *r,
							const struct rule_list *l)
{
	return *(struct rule_blocks *const *)((const char *)r + l->offset);
}

/* A list as an array of JSON; a new reference, NULL for memory. */
struct json_t *rule_list_json(const struct rule_blocks *b);

#endif
