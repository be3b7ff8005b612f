// SPDX-License-Identifier: MIT
/* What operators change of the clients. */
#include "server/fleet/clients.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "server/fleet/answer.h"
#include "server/fleet/owner.h"
#include "server/fleet/sessions.h"

/* A change that is with the store. */
struct change {
	struct fleet *f;
	char id[STORE_ID_SIZE + 1];
	/* Told that it is stored. It may remove the client. */
	void (*apply)(struct change *ch, struct fleet_client *c);
	char *text; /* the new name or address, taken by apply() */
	uint64_t at_ms;
	char token_hash[STORE_HASH_SIZE + 1];
	struct fleet_client *made; /* the client, where there is none with the id */
	fleet_client_done done;
	void *arg;
};

static struct change *change_new(struct fleet *f, const char *id,
				 void (*apply)(struct change *ch, struct fleet_client *c),
				 fleet_client_done done, void *arg)
{
	struct change *ch = calloc(1, sizeof(*ch));

	if (!ch)
		return NULL;
	ch->f = f;
	snprintf(ch->id, sizeof(ch->id), "%s", id);
	ch->apply = apply;
	ch->done = done;
	ch->arg = arg;
	return ch;
}

static void change_free(struct change *ch)
{
	if (ch->made)
		model_client_free(ch->made);
	free(ch->text);
	free(ch);
}

static void on_stored(void *arg, int err)
{
	struct change *ch = arg;
	struct fleet_client *c = fleet_client(ch->f, ch->id);

	if (!err && (c || ch->made))
		ch->apply(ch, c);
	ch->done(ch->arg, fleet_client(ch->f, ch->id), err);
	change_free(ch);
}

static int commit(struct change *ch, struct store_tx *tx)
{
	int err = store_commit(tx, on_stored, ch);

	if (err)
		change_free(ch);
	return err;
}

static void take_text(char **to, struct change *ch)
{
	free(*to);
	*to = ch->text;
	ch->text = NULL;
}

static void apply_name(struct change *ch, struct fleet_client *c)
{
	take_text(&c->name, ch);
}

static void apply_address(struct change *ch, struct fleet_client *c)
{
	take_text(&c->address, ch);
}

/* NULL for memory. */
static struct change *new_text(struct fleet *f, const struct fleet_client *c, const char *text,
			       void (*apply)(struct change *ch, struct fleet_client *c),
			       fleet_client_done done, void *arg)
{
	struct change *ch = change_new(f, c->id, apply, done, arg);

	if (ch)
		ch->text = strdup(text);
	if (ch && !ch->text) {
		change_free(ch);
		ch = NULL;
	}
	return ch;
}

int fleet_client_rename(struct fleet *f, struct fleet_client *c, const char *name,
			fleet_client_done done, void *arg)
{
	const struct fleet_client *other = fleet_client_by_name(f, name);
	struct change *ch;
	struct store_tx *tx;

	/* A revoked one keeps its name in the list; it may be another's until it is enrolled again. */
	if (other && other != c && !c->revoked_ms)
		return -EEXIST;
	ch = new_text(f, c, name, apply_name, done, arg);
	if (!ch)
		return -ENOMEM;
	tx = store_begin(f->store);
	store_client_rename(tx, c->id, name);
	return commit(ch, tx);
}

int fleet_client_readdress(struct fleet *f, struct fleet_client *c, const char *address,
			   fleet_client_done done, void *arg)
{
	struct change *ch = new_text(f, c, address, apply_address, done, arg);
	struct store_tx *tx;

	if (!ch)
		return -ENOMEM;
	tx = store_begin(f->store);
	store_client_readdress(tx, c->id, address);
	return commit(ch, tx);
}

static void apply_revocation(struct change *ch, struct fleet_client *c)
{
	if (!c->revoked_ms)
		c->revoked_ms = ch->at_ms;
	if (c->session)
		session_drop(c->session, "token_revoked");
}

int fleet_client_revoke(struct fleet *f, struct fleet_client *c, fleet_client_done done, void *arg)
{
	struct change *ch = change_new(f, c->id, apply_revocation, done, arg);
	struct store_tx *tx;

	if (!ch)
		return -ENOMEM;
	ch->at_ms = clock_wall_ms();
	/* Again for one that is revoked: it may have got a code since. */
	tx = store_begin(f->store);
	store_client_revoke(tx, c->id, ch->at_ms);
	return commit(ch, tx);
}

static void apply_deletion(struct change *ch, struct fleet_client *c)
{
	if (c->session)
		session_drop(c->session, "token_revoked");
	while (!TAILQ_EMPTY(&c->rules))
		answer_drop_rule(ch->f, TAILQ_FIRST(&c->rules));
	owner_drop_all(c);
	model_client_remove(ch->f, c);
}

int fleet_client_delete(struct fleet *f, struct fleet_client *c, fleet_client_done done, void *arg)
{
	struct change *ch = change_new(f, c->id, apply_deletion, done, arg);
	struct store_tx *tx;

	if (!ch)
		return -ENOMEM;
	tx = store_begin(f->store);
	store_client_delete(tx, c->id);
	return commit(ch, tx);
}

/* ---- redemption ---- */

/* Whether a code may still become what it was made for. */
static int check_code(struct fleet *f, const struct fleet_client *old,
		      const struct store_code *code)
{
	const struct fleet_client *other = fleet_client_by_name(f, old ? old->name : code->name);

	if (old && old->revoked_ms && code->created_ms <= old->revoked_ms)
		return -ENOENT;
	return other && other != old ? -EEXIST : 0;
}

static void apply_redemption(struct change *ch, struct fleet_client *c)
{
	if (!c) {
		model_client_add(ch->f, ch->made); /* there is room */
		ch->made = NULL;
		return;
	}
	strcpy(c->token_hash, ch->token_hash);
	c->next_token_hash[0] = '\0';
	/* Another program may come with the new token; the store has forgotten as much. */
	c->pins[0] = '\0';
	c->caps_owners = false;
	c->revoked_ms = 0;
	if (c->session)
		session_drop(c->session, "token_rotated");
}

static void on_redeemed(void *arg, int err)
{
	struct change *ch = arg;

	ch->f->n_redeems--;
	on_stored(ch, err);
}

int fleet_client_redeem(struct fleet *f, const char *code_hash, const struct store_code *code,
			const char *token_hash, fleet_client_done done, void *arg)
{
	const struct store_client row = {
		.id = code->client_id,
		.name = code->name,
		.address = code->address,
		.token_hash = token_hash,
		.provisioned_ms = clock_wall_ms(),
	};
	int err = check_code(f, fleet_client(f, code->client_id), code);
	struct store_tx *tx;
	struct change *ch;

	if (err)
		return err;
	ch = change_new(f, code->client_id, apply_redemption, done, arg);
	if (!ch)
		return -ENOMEM;
	snprintf(ch->token_hash, sizeof(ch->token_hash), "%s", token_hash);
	/* By the time that it is stored the client may be gone, or there. */
	ch->made = model_client_new(&row);
	if (!ch->made || model_client_room(f)) {
		change_free(ch);
		return -ENOMEM;
	}
	tx = store_begin(f->store);
	store_code_redeem(tx, code_hash, &row);
	err = store_commit(tx, on_redeemed, ch);
	if (err)
		change_free(ch);
	else
		f->n_redeems++;
	return err;
}
