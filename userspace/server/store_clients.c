// SPDX-License-Identifier: MIT
/* Clients and the codes they enrol with. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "server/store_db.h"

/* How long a used or expired code is kept to say "used" or "expired" instead of "unknown". */
#define CODE_MEMORY_MS (7ull * 86400 * 1000)

int store_clients(struct store *s, void (*row)(void *arg, const struct store_client *c), void *arg)
{
	int err = 0;
	sqlite3_stmt *q = db_query(s, &err,
				   "SELECT id, name, address, token_hash, provisioned_ms, "
				   "revoked_ms FROM clients ORDER BY id",
				   "");

	if (!q)
		return err;
	while ((err = db_step(s, q)) == 1)
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

int store_client_put(struct store *s, const struct store_client *c)
{
	/* Not REPLACE: that deletes the old row first, and the client's rules refer to it. */
	int n = db_run(s,
		       "INSERT INTO clients VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
		       " name = excluded.name, address = excluded.address,"
		       " token_hash = excluded.token_hash,"
		       " provisioned_ms = excluded.provisioned_ms,"
		       " revoked_ms = excluded.revoked_ms",
		       "ttttii", c->id, c->name, c->address, c->token_hash, c->provisioned_ms,
		       c->revoked_ms);

	return n < 0 ? n : 0;
}

int store_client_delete(struct store *s, const char *id)
{
	int n = store_begin(s);

	if (n)
		return n;
	n = db_run(s, "DELETE FROM rules WHERE client_id = ?", "t", id);
	if (n >= 0)
		n = db_run(s, "DELETE FROM codes WHERE client_id = ?", "t", id);
	if (n >= 0)
		n = db_run(s, "DELETE FROM clients WHERE id = ?", "t", id);
	if (n <= 0) {
		store_rollback(s);
		return n ? n : -ENOENT;
	}
	return store_commit(s);
}

int store_code_add(struct store *s, const char *hash, const struct store_code *c)
{
	uint64_t now = clock_wall_ms();
	int n = store_begin(s);

	if (n)
		return n;
	n = db_run(s, "DELETE FROM codes WHERE expires_ms < ? OR (client_id = ? AND used_ms = 0)",
		   "it", now > CODE_MEMORY_MS ? now - CODE_MEMORY_MS : 0, c->client_id);
	if (n >= 0)
		n = db_run(s, "INSERT INTO codes VALUES(?, ?, ?, ?, ?, ?, ?, 0)", "tttttii", hash,
			   c->client_id, c->name, c->address, c->endpoint ? c->endpoint : "",
			   c->created_ms, c->expires_ms);
	if (n < 0) {
		store_rollback(s);
		return n;
	}
	return store_commit(s);
}

int store_code_get(struct store *s, const char *hash, struct store_code *out)
{
	int err = 0;
	sqlite3_stmt *q =
		db_query(s, &err,
			 "SELECT client_id, name, address, endpoint, created_ms, expires_ms, "
			 "used_ms FROM codes WHERE hash = ?",
			 "t", hash);

	if (!q)
		return err;
	err = db_step(s, q);
	if (err == 1) {
		*out = (struct store_code){
			.name = strdup(db_text(q, 1)),
			.address = db_text(q, 2) ? strdup(db_text(q, 2)) : NULL,
			.endpoint = strdup(db_text(q, 3)),
			.created_ms = db_u64(q, 4),
			.expires_ms = db_u64(q, 5),
			.used_ms = db_u64(q, 6),
		};
		strncpy(out->client_id, db_text(q, 0), STORE_ID_SIZE);
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

int store_code_redeem(struct store *s, const char *hash, const struct store_client *c)
{
	int n = store_begin(s);

	if (n)
		return n;
	n = db_run(s, "UPDATE codes SET used_ms = ? WHERE hash = ? AND used_ms = 0", "it",
		   clock_wall_ms(), hash);
	n = n == 0 ? -ENOENT : n < 0 ? n : store_client_put(s, c);
	if (n) {
		store_rollback(s);
		return n;
	}
	return store_commit(s);
}
