// SPDX-License-Identifier: MIT
/* A ring of the last changes of targets' health. */
#include "server/fleet/health_history.h"

#include <stdlib.h>
#include <string.h>

struct changes {
	uint64_t added; /* ever; the next one goes to row added % CHANGES_MAX */
	struct change row[CHANGES_MAX];
};

struct changes *changes_new(void)
{
	return calloc(1, sizeof(struct changes));
}

void changes_free(struct changes *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CHANGES_MAX; i++)
		free(c->row[i].host);
	free(c);
}

void changes_add(struct changes *c, const struct change *change)
{
	struct change *row = &c->row[c->added % CHANGES_MAX];
	char *host = strdup(change->host);

	if (!host)
		return;
	free(row->host);
	*row = *change;
	row->host = host;
	row->seq = ++c->added;
}

const struct change *changes_newest(const struct changes *c, size_t n)
{
	if (n >= CHANGES_MAX || n >= c->added)
		return NULL;
	return &c->row[(c->added - 1 - n) % CHANGES_MAX];
}

const struct change *changes_last(const struct changes *c, uint64_t rule_id, uint32_t index)
{
	const struct change *row;

	for (size_t n = 0; (row = changes_newest(c, n)); n++)
		if (row->rule_id == rule_id && row->index == index)
			return row;
	return NULL;
}
