// SPDX-License-Identifier: MIT
/* Envelopes of owners: set and removed by operators, told to edges. */
#include "server/fleet/caps.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "server/fleet/compatibility.h"
#include "server/fleet/sessions.h"

/* A change that is with the store. */
struct cap_change {
	struct fleet *f;
	char client_id[STORE_ID_SIZE + 1];
	bool capped;
	struct rate_limit limit;
	uint64_t at_ms;
	fleet_owner_done done;
	void *arg;
	char owner[];
};

int fleet_can_cap(const struct fleet_client *c, struct fleet_error *err)
{
	const struct gate_peer absent = {.version = "", .rate_limit = c->caps_owners};

	return fleet_is_connected(c) ? session_gate_caps(c->session, err) : gate_caps(&absent, err);
}

static void send(const struct fleet_client *c, const char *owner)
{
	struct fleet_error cannot;

	/* Where it cannot be sent, the session ends, and the next one begins with a replay. */
	if (fleet_is_connected(c) && !session_gate_caps(c->session, &cannot))
		outbox_send_owner(&c->session->out, owner);
}

/* It is stored, so it holds. NULL: there is none, or no memory until the next start. */
static const struct fleet_owner *apply(const struct cap_change *ch, struct fleet_client *c)
{
	struct fleet_owner *o = ch->capped ? owner_get(c, ch->owner) : owner_find(c, ch->owner);

	if (!o)
		return NULL;
	o->capped = ch->capped;
	o->limit = ch->limit;
	o->updated_ms = ch->at_ms;
	send(c, ch->owner);
	if (o->capped)
		return o;
	if (!o->reported)
		owner_drop(c, o);
	return NULL;
}

static void on_stored(void *arg, int err)
{
	struct cap_change *ch = arg;
	struct fleet_client *c = fleet_client(ch->f, ch->client_id);
	const struct fleet_owner *o = NULL;

	if (!err && c)
		o = apply(ch, c);
	if (!err && ch->capped && !o)
		err = c ? -ENOMEM : -ENOENT;
	ch->done(ch->arg, c, o, err);
	free(ch);
}

static char *spec_of(const struct rate_limit *limit)
{
	json_t *o = rate_limit_to_json(limit);
	char *spec = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	return spec;
}

static int store(struct fleet *f, const struct cap_change *ch, struct store_tx **out)
{
	char *spec = ch->capped ? spec_of(&ch->limit) : NULL;

	if (ch->capped && !spec)
		return -ENOMEM;
	*out = store_begin(f->store);
	if (ch->capped)
		store_owner_cap_put(*out, &(struct store_owner_cap){.client_id = ch->client_id,
								    .owner = ch->owner,
								    .spec = spec,
								    .updated_ms = ch->at_ms});
	else
		store_owner_cap_delete(*out, ch->client_id, ch->owner);
	free(spec);
	return 0;
}

int fleet_cap_owner(struct fleet *f, struct fleet_client *c, const char *owner,
		    const struct rate_limit *limit, fleet_owner_done done, void *arg)
{
	size_t size = strlen(owner) + 1;
	struct cap_change *ch = calloc(1, sizeof(*ch) + size);
	struct store_tx *tx;
	int err;

	if (!ch)
		return -ENOMEM;
	ch->f = f;
	ch->capped = limit != NULL;
	if (limit)
		ch->limit = *limit;
	ch->at_ms = clock_wall_ms();
	ch->done = done;
	ch->arg = arg;
	snprintf(ch->client_id, sizeof(ch->client_id), "%s", c->id);
	memcpy(ch->owner, owner, size);
	err = store(f, ch, &tx);
	if (!err)
		err = store_commit(tx, on_stored, ch);
	if (err)
		free(ch);
	return err;
}
