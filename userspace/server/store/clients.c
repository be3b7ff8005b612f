// SPDX-License-Identifier: MIT
/* Clients and the codes they enrol with. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/utf8.h"
#include "server/store/inner.h"

/* How long a used or expired code is kept to say "used" or "expired" instead of "unknown". */
#define CODE_MEMORY_MS (7ull * 86400 * 1000)

int store_clients(struct store *s, void (*row)(void *arg, const struct store_client *c), void *arg)
{
	int err = 0;
	sqlite3_stmt *q = db_query(&s->read, &err,
				   "SELECT id, name, address, token_hash, provisioned_ms, "
				   "revoked_ms FROM clients ORDER BY id",
				   "");

	if (!q)
		return err;
	while ((err = db_step(&s->read, q)) == 1)
		row(arg, &(struct store_client){
				 .id = db_text(q, 0),
				 .name = db_text(q, 1),
				 .address = db_text(q, 2),
				 .token_hash = db_text(q, 3),
				 .provisioned_ms = db_u64(q, 4),
				 .revoked_ms = db_u64(q, 5),
			 });
	db_done(q);
	return err;
}

void store_client_put(struct store_tx *tx, const struct store_client *c)
{
	/* Not REPLACE: that deletes the old row first, and the client's rules refer to it. */
	tx_sql(tx, 0,
	       "INSERT INTO clients VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
	       " name = excluded.name, address = excluded.address,"
	       " token_hash = excluded.token_hash,"
	       " provisioned_ms = excluded.provisioned_ms,"
	       " revoked_ms = excluded.revoked_ms",
	       "ttttii", c->id, c->name, c->address, c->token_hash, c->provisioned_ms,
	       c->revoked_ms);
}

/* Two live clients of one name: then a push by name goes to either. */
static void one_name_each(struct store_tx *tx, const char *id)
{
	tx_refuse_if(tx, -EEXIST,
		     "SELECT 1 FROM clients AS mine JOIN clients AS other ON other.name = mine.name"
		     " WHERE mine.id = ? AND other.id <> mine.id AND mine.revoked_ms = 0 AND"
		     " other.revoked_ms = 0",
		     "t", id);
}

void store_client_rename(struct store_tx *tx, const char *id, const char *name)
{
	tx_sql(tx, -ENOENT, "UPDATE clients SET name = ? WHERE id = ?", "tt", name, id);
	one_name_each(tx, id);
}

void store_client_readdress(struct store_tx *tx, const char *id, const char *address)
{
	tx_sql(tx, -ENOENT, "UPDATE clients SET address = ? WHERE id = ?", "tt", address, id);
}

void store_client_revoke(struct store_tx *tx, const char *id, uint64_t revoked_ms)
{
	tx_sql(tx, -ENOENT,
	       "UPDATE clients SET revoked_ms = iif(revoked_ms, revoked_ms, ?) WHERE id = ?", "it",
	       revoked_ms, id);
	tx_sql(tx, 0, "DELETE FROM codes WHERE client_id = ? AND used_ms = 0", "t", id);
}

static void forget_settings(struct store_tx *tx, const char *id)
{
	tx_sql(tx, 0,
	       "DELETE FROM settings WHERE key IN('" STORE_BUNDLE_PINS "' || ?, '" STORE_NEXT_TOKEN
	       "' || ?, '" STORE_CAPS_OWNERS "' || ?)",
	       "ttt", id, id, id);
}

void store_client_take_token(struct store_tx *tx, const char *id, const char *token_hash)
{
	tx_sql(tx, -ENOENT,
	       "DELETE FROM settings WHERE key = '" STORE_NEXT_TOKEN "' || ? AND value = ?", "tt",
	       id, token_hash);
	tx_sql(tx, -ENOENT, "UPDATE clients SET token_hash = ? WHERE id = ?", "tt", token_hash, id);
}

void store_client_delete(struct store_tx *tx, const char *id)
{
	tx_sql(tx, 0, "DELETE FROM rules WHERE client_id = ?", "t", id);
	tx_sql(tx, 0, "DELETE FROM codes WHERE client_id = ?", "t", id);
	forget_settings(tx, id);
	tx_sql(tx, -ENOENT, "DELETE FROM clients WHERE id = ?", "t", id);
}

void store_code_add(struct store_tx *tx, const char *hash, const struct store_code *c)
{
	uint64_t now = clock_wall_ms();

	tx_sql(tx, 0,
	       "DELETE FROM codes WHERE expires_ms < ? OR"
	       " (used_ms = 0 AND (client_id = ? OR name = ?))",
	       "itt", now > CODE_MEMORY_MS ? now - CODE_MEMORY_MS : 0, c->client_id, c->name);
	tx_sql(tx, 0, "INSERT INTO codes VALUES(?, ?, ?, ?, ?, ?, ?, 0)", "tttttii", hash,
	       c->client_id, c->name, c->address, c->endpoint ? c->endpoint : "", c->created_ms,
	       c->expires_ms);
}

int store_code_get(struct store *s, const char *hash, struct store_code *out)
{
	int err = 0;
	sqlite3_stmt *q =
		db_query(&s->read, &err,
			 "SELECT client_id, name, address, endpoint, created_ms, expires_ms, "
			 "used_ms FROM codes WHERE hash = ?",
			 "t", hash);

	if (!q)
		return err;
	err = db_step(&s->read, q);
	if (err == 1) {
		*out = (struct store_code){
			.name = strdup(db_text(q, 1)),
			.address = db_text(q, 2) ? strdup(db_text(q, 2)) : NULL,
			.endpoint = strdup(db_text(q, 3)),
			.created_ms = db_u64(q, 4),
			.expires_ms = db_u64(q, 5),
			.used_ms = db_u64(q, 6),
		};
		utf8_copy(out->client_id, sizeof(out->client_id), db_text(q, 0),
			  strlen(db_text(q, 0)));
		err = out->name && out->endpoint && (out->address || !db_text(q, 2)) ? 0 : -ENOMEM;
		if (err)
			store_code_free(out);
	} else if (!err) {
		err = -ENOENT;
	}
	db_done(q);
	return err;
}

void store_code_free(struct store_code *c)
{
	free(c->name);
	free(c->address);
	free(c->endpoint);
	c->name = c->address = c->endpoint = NULL;
}

void store_code_redeem(struct store_tx *tx, const char *hash, const struct store_client *c)
{
	tx_sql(tx, -ENOENT, "UPDATE codes SET used_ms = ? WHERE hash = ? AND used_ms = 0", "it",
	       clock_wall_ms(), hash);
	/* The new bundle has the pin of now, and the new token alone counts. */
	forget_settings(tx, c->id);
	/* One that is known keeps the name and the address that it has by now. */
	tx_sql(tx, 0,
	       "INSERT INTO clients VALUES(?, ?, ?, ?, ?, 0) ON CONFLICT(id) DO UPDATE SET"
	       " token_hash = excluded.token_hash, revoked_ms = 0",
	       "tttti", c->id, c->name, c->address, c->token_hash, c->provisioned_ms);
	one_name_each(tx, c->id);
}
