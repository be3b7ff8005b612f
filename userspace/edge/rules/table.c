// SPDX-License-Identifier: MIT
/* The table of rules: an array by id, so that finding, walking and taking out need no memory. */
#include "edge/rules/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rule/listen.h"

/* Where a rule of this id is, or would be put. */
static size_t place(const struct rule_table *t, uint64_t rule_id)
{
	size_t low = 0, high = t->n;

	/* Rules mostly come with ascending ids. */
	if (t->n && t->all[t->n - 1]->id < rule_id)
		return t->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->all[middle]->id < rule_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct rule_state *rule_table_find(const struct rule_table *t, uint64_t rule_id)
{
	size_t at = place(t, rule_id);

	return at < t->n && t->all[at]->id == rule_id ? t->all[at] : NULL;
}

size_t rule_table_size(const struct rule_table *t)
{
	return t->n;
}

void rule_table_each(struct rule_table *t, void (*visit)(struct rule_state *rs, void *arg),
		     void *arg)
{
	for (size_t i = 0; i < t->n; i++)
		visit(t->all[i], arg);
}

struct rule_state *rule_table_on_port(const struct rule_table *t, const struct rule *rule)
{
	for (size_t i = 0; i < t->n; i++) {
		struct rule_state *rs = t->all[i];

		if (rs->id != rule->id && rule_listens_conflict(rs->service->rule, rule))
			return rs;
	}
	return NULL;
}

int rule_table_add(struct rule_table *t, struct rule_state *rs)
{
	size_t at = place(t, rs->id);

	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		struct rule_state **more = realloc(t->all, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->all = more;
		t->room = room;
	}
	memmove(&t->all[at + 1], &t->all[at], (t->n - at) * sizeof(*t->all));
	t->all[at] = rs;
	t->n++;
	return 0;
}

void rule_table_take(struct rule_table *t, struct rule_state *rs)
{
	size_t at = place(t, rs->id);

	t->n--;
	memmove(&t->all[at], &t->all[at + 1], (t->n - at) * sizeof(*t->all));
}
