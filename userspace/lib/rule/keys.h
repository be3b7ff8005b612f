/* SPDX-License-Identifier: MIT */
/* The keys of a rule's JSON, with their types, as data. Private to lib/rule/. */
#ifndef PORTUNUS_LIB_RULE_KEYS_H
#define PORTUNUS_LIB_RULE_KEYS_H

#include "lib/rule/draft.h"

enum value_type { TYPE_U16, TYPE_U32, TYPE_U64, TYPE_STRING, TYPE_BOOL, TYPE_TLVS };

struct key {
	const char *name;
	enum value_type type;
	bool required;
};

/* A member of a rule that is an object. */
struct nested_keys {
	const char *name;
	const struct key *keys;
	size_t n, offset; /* of its values in struct rule_draft */
};

#define RULE_NESTED 2

extern const struct key rule_keys[RULE_KEYS]; /* those whose value is no list and no object */
extern const struct key rule_target_keys[TARGET_KEYS];
extern const struct nested_keys rule_nested[RULE_NESTED];

void rule_limit_keys(struct key out[LIMIT_KEYS]);

#endif
