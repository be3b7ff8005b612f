// SPDX-License-Identifier: MIT
/* The lists of addresses of a rule, as data: their keys and where they lie. */
#include "lib/rule/lists.h"

#include <jansson.h>

#include "lib/rule/blocks.h"

const struct rule_list rule_lists[RULE_LISTS] = {
	[LIST_SOURCE] = {"source_address", offsetof(struct rule, source_address), true},
	[LIST_ALLOW] = {"allow", offsetof(struct rule, allow)},
	[LIST_DENY] = {"deny", offsetof(struct rule, deny)},
	[LIST_ACCEPT_FROM] = {"accept_proxy_from", offsetof(struct rule, accept_proxy_from)},
};

json_t *rule_list_json(const struct rule_blocks *b)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < b->n; i++) {
		if (!json_array_append_new(list, json_string(b->text[i])))
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}
