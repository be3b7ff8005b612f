/* SPDX-License-Identifier: MIT */
/* The optional words of a rule, as data: their keys, where they lie, and what they may be. */
#ifndef PORTUNUS_LIB_RULE_WORDS_H
#define PORTUNUS_LIB_RULE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/rule/draft.h"
#include "lib/rule/rule.h"

#define RULE_WORDS 3

/* A char * of struct rule, NULL when absent. */
struct rule_word {
	const char *name; /* of the key, in JSON */
	enum rule_key key;
	size_t offset;
	bool (*valid)(const char *text);
	const char *text; /* of one that is not */
	bool tcp_only;
};

extern const struct rule_word rule_words[RULE_WORDS];

static inline char **rule_word(struct rule *r, const struct rule_word *w)
{
	return (char **)((char *)r + w->offset);
}

static inline const char *rule_word_value(const struct rule *r, const struct rule_word *w)
{
	return *(char *const *)((const char *)r + w->offset);
}

#endif
