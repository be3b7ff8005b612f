// SPDX-License-Identifier: MIT
/* The owners of a client's rules that have, or had, something to do with caps. */
#include "server/fleet/owner.h"

#include <stdlib.h>
#include <string.h>

#include "server/fleet/model.h"

/* The first whose id is not below @id. */
static struct fleet_owner *at(const struct fleet_client *c, const char *id)
{
	struct fleet_owner *o;

	TAILQ_FOREACH (o, &c->owners, of_client)
		if (strcmp(o->id, id) >= 0)
			return o;
	return NULL;
}

struct fleet_owner *owner_find(const struct fleet_client *c, const char *id)
{
	struct fleet_owner *o = at(c, id);

	return o && !strcmp(o->id, id) ? o : NULL;
}

struct fleet_owner *owner_get(struct fleet_client *c, const char *id)
{
	struct fleet_owner *next = at(c, id), *o;
	size_t size = strlen(id) + 1;

	if (next && !strcmp(next->id, id))
		return next;
	o = calloc(1, sizeof(*o) + size);
	if (!o)
		return NULL;
	memcpy(o->id, id, size);
	if (next)
		TAILQ_INSERT_BEFORE(next, o, of_client);
	else
		TAILQ_INSERT_TAIL(&c->owners, o, of_client);
	return o;
}

void owner_drop(struct fleet_client *c, struct fleet_owner *o)
{
	TAILQ_REMOVE(&c->owners, o, of_client);
	free(o);
}

void owner_drop_all(struct fleet_client *c)
{
	while (!TAILQ_EMPTY(&c->owners))
		owner_drop(c, TAILQ_FIRST(&c->owners));
}
