/* SPDX-License-Identifier: MIT */
/* Who may use a rule: allow and deny as one table that never changes. */
#ifndef PORTUNUS_EDGE_TARGET_ACCESS_LIST_H
#define PORTUNUS_EDGE_TARGET_ACCESS_LIST_H

#include <stdbool.h>

#include "lib/base/addr.h"

struct access_list;
struct rule_blocks;

/*
 * Of two lists of blocks, either of which may be NULL: the longest prefix that has an address decides,
 * and of equally long ones deny. Whom no block has is let in where there is no @allow. NULL for memory.
 * For access_list_free().
 */
struct access_list *access_list_new(const struct rule_blocks *allow,
				    const struct rule_blocks *deny);
void access_list_free(struct access_list *a);

/* Whether the address may come; a mapped one counts as IPv4. Pure, any thread. */
bool access_list_permits(const struct access_list *a, const union addr *client);

#endif
