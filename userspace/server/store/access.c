// SPDX-License-Identifier: MIT
/* Operator tokens and browser sessions; of both only hashes are stored. */
#include <errno.h>

#include "server/store/inner.h"

int store_tokens(struct store *s, void (*row)(void *arg, const struct store_token *t), void *arg)
{
	int err = 0;
	sqlite3_stmt *q = db_query(
		&s->read, &err,
		"SELECT name, role, hash, created_ms, revoked_ms, expires_ms, used_ms FROM tokens ORDER BY name",
		"");

	if (!q)
		return err;
	while ((err = db_step(&s->read, q)) == 1)
		row(arg, &(struct store_token){
				 .name = db_text(q, 0),
				 .role = db_text(q, 1),
				 .hash = db_text(q, 2),
				 .created_ms = db_u64(q, 3),
				 .revoked_ms = db_u64(q, 4),
				 .expires_ms = db_u64(q, 5),
				 .used_ms = db_u64(q, 6),
			 });
	db_done(q);
	return err;
}

void store_token_put(struct store_tx *tx, const struct store_token *t)
{
	tx_sql(tx, 0,
	       "INSERT INTO tokens(name, role, hash, created_ms, revoked_ms, expires_ms, used_ms)"
	       " VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(name) DO UPDATE SET"
	       " role = excluded.role, hash = excluded.hash,"
	       " created_ms = excluded.created_ms, revoked_ms = excluded.revoked_ms,"
	       " expires_ms = excluded.expires_ms, used_ms = excluded.used_ms",
	       "tttiiii", t->name, t->role, t->hash, t->created_ms, t->revoked_ms, t->expires_ms,
	       t->used_ms);
}

void store_token_add(struct store_tx *tx, const struct store_token *t)
{
	tx_refuse_if(tx, -EEXIST,
		     "SELECT 1 FROM tokens WHERE name = ? AND revoked_ms = 0 AND"
		     " (expires_ms = 0 OR expires_ms > ?)",
		     "ti", t->name, t->created_ms);
	store_sessions_delete_of(tx, t->name);
	store_token_put(tx, t);
}

void store_token_revoke(struct store_tx *tx, const char *name, uint64_t revoked_ms)
{
	tx_refuse_if(tx, -EPERM,
		     "SELECT 1 FROM tokens WHERE name = ? AND role = 'admin' AND revoked_ms = 0 AND"
		     " expires_ms = 0 AND NOT EXISTS(SELECT 1 FROM tokens WHERE name <> ? AND"
		     " role = 'admin' AND revoked_ms = 0 AND expires_ms = 0)",
		     "tt", name, name);
	tx_sql(tx, -ENOENT, "UPDATE tokens SET revoked_ms = ? WHERE name = ? AND revoked_ms = 0",
	       "it", revoked_ms, name);
	store_sessions_delete_of(tx, name);
}

void store_token_used(struct store_tx *tx, const char *name, uint64_t used_ms)
{
	tx_sql(tx, 0, "UPDATE tokens SET used_ms = ? WHERE name = ?", "it", used_ms, name);
}

void store_token_delete(struct store_tx *tx, const char *name)
{
	tx_sql(tx, 0, "DELETE FROM tokens WHERE name = ?", "t", name);
	store_sessions_delete_of(tx, name);
}

int store_sessions(struct store *s, void (*row)(void *arg, const struct store_session *w),
		   void *arg)
{
	int err = 0;
	sqlite3_stmt *q = db_query(&s->read, &err,
				   "SELECT hash, token_name, created_ms, used_ms FROM sessions",
				   "");

	if (!q)
		return err;
	while ((err = db_step(&s->read, q)) == 1)
		row(arg, &(struct store_session){
				 .hash = db_text(q, 0),
				 .token_name = db_text(q, 1),
				 .created_ms = db_u64(q, 2),
				 .used_ms = db_u64(q, 3),
			 });
	db_done(q);
	return err;
}

void store_session_put(struct store_tx *tx, const struct store_session *w)
{
	tx_sql(tx, 0, "INSERT OR REPLACE INTO sessions VALUES(?, ?, ?, ?)", "ttii", w->hash,
	       w->token_name, w->created_ms, w->used_ms);
}

void store_session_used(struct store_tx *tx, const char *hash, uint64_t used_ms)
{
	tx_sql(tx, 0, "UPDATE sessions SET used_ms = ? WHERE hash = ?", "it", used_ms, hash);
}

void store_session_delete(struct store_tx *tx, const char *hash)
{
	tx_sql(tx, 0, "DELETE FROM sessions WHERE hash = ?", "t", hash);
}

void store_sessions_delete_of(struct store_tx *tx, const char *token_name)
{
	tx_sql(tx, 0, "DELETE FROM sessions WHERE token_name = ?", "t", token_name);
}
