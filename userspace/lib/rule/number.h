/* SPDX-License-Identifier: MIT */
/* The optional numbers of a rule, as data: their keys, where they lie, and what they may be. */
#ifndef PORTUNUS_LIB_RULE_NUMBER_H
#define PORTUNUS_LIB_RULE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/rule/draft.h"
#include "lib/rule/rule.h"

#define RULE_NUMBERS 8

/* One of them, a uint32_t of struct rule that is there when its bit in rule.fields is set. */
struct rule_number {
	const char *name; /* of the key, in JSON */
	enum rule_key key;
	enum rule_field field;
	size_t offset;
	uint32_t min, max;
	const char *code, *text; /* of a value that is outside */
};

extern const struct rule_number rule_numbers[RULE_NUMBERS];

static inline uint32_t *rule_number(struct rule *r, const struct rule_number *n)
{
	return (uint32_t *)((char *)r + n->offset);
}

static inline uint32_t rule_number_value(const struct rule *r, const struct rule_number *n)
{
	return *(const uint32_t *)((const char *)r + n->offset);
}

#endif
