// SPDX-License-Identifier: MIT
/* The owners of the rules that are served, and the envelope of each over all of them. */
#include "edge/admit/owners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct owner *owners_find(const struct owners *o, const char *id)
{
	struct owner *found;

	HASH_FIND_STR(o->table, id, found);
	return found;
}

static struct owner *get(struct owners *o, const char *id)
{
	struct owner *owner = owners_find(o, id);
	size_t size = strlen(id) + 1;

	if (owner)
		return owner;
	owner = calloc(1, sizeof(*owner) + size);
	if (!owner)
		return NULL;
	owner->caps = envelope_new(o->n_workers);
	if (!owner->caps) {
		free(owner);
		return NULL;
	}
	memcpy(owner->id, id, size);
	HASH_ADD_STR(o->table, id, owner);
	return owner;
}

struct envelope *owners_envelope(struct owners *o, const char *id)
{
	struct owner *owner = id ? get(o, id) : NULL;

	return owner ? owner->caps : NULL;
}

int owners_set(struct owners *o, const char *id, const struct rate_limit *limit, uint64_t now_ns)
{
	static const struct rate_limit none;
	struct owner *owner = limit ? get(o, id) : owners_find(o, id);
	bool was;

	if (!owner)
		return limit ? -ENOMEM : 0;
	was = owner->capped;
	owner->capped = limit != NULL;
	owner->unconfirmed = false;
	return envelope_set(owner->caps, limit ? limit : &none, now_ns) || was != owner->capped;
}

void owners_each(const struct owners *o, void (*visit)(struct owner *owner, void *arg), void *arg)
{
	for (struct owner *owner = o->table; owner; owner = owner->hh.next)
		visit(owner, arg);
}

static void forget(struct owners *o, struct owner *owner)
{
	HASH_DEL(o->table, owner);
	envelope_unref(owner->caps);
	free(owner);
}

void owners_tidy(struct owners *o)
{
	struct owner *owner, *next;

	for (owner = o->table; owner; owner = next) {
		next = owner->hh.next;
		if (!owner->capped && atomic_load(&owner->caps->refs) == 1)
			forget(o, owner);
	}
}

void owners_close(struct owners *o)
{
	while (o->table)
		forget(o, o->table);
}
