/* SPDX-License-Identifier: MIT */
/* A set of blocks of addresses as a rule holds it: ascending, each once, in one spelling. */
#ifndef PORTUNUS_LIB_RULE_BLOCKS_H
#define PORTUNUS_LIB_RULE_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/cidr.h"

/* One piece of memory, for free(). */
struct rule_blocks {
	size_t n;
	struct cidr *block;
	char **text; /* of each block */
};

/*
 * The blocks that @n texts name; whatever is there twice is there once. NULL with errno ENOMEM, or
 * EINVAL and *wrong the place of the first text that is no block.
 */
struct rule_blocks *rule_blocks_new(const char *const *text, size_t n, size_t *wrong);
/* NULL for memory. */
struct rule_blocks *rule_blocks_dup(const struct rule_blocks *b);
/* Two NULLs are equal too. */
bool rule_blocks_equal(const struct rule_blocks *a, const struct rule_blocks *b);

#endif
