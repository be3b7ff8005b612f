// SPDX-License-Identifier: MIT
/* Operator tokens and browser sessions; of both only hashes are stored. */
#include "server/store_db.h"

int store_tokens(struct store *s, void (*row)(void *arg, const struct store_token *t), void *arg)
{
	int err = 0;
	sqlite3_stmt *q = db_query(
		s, &err,
		"SELECT name, role, hash, created_ms, revoked_ms FROM tokens ORDER BY name", "");

	if (!q)
		return err;
	while ((err = db_step(s, q)) == 1)
		row(arg, &(struct store_token){
				 .name = db_text(q, 0),
				 .role = db_text(q, 1),
				 .hash = db_text(q, 2),
				 .created_ms = db_u64(q, 3),
				 .revoked_ms = db_u64(q, 4),
			 });
	db_done(q);
	return err;
}

int store_token_put(struct store *s, const struct store_token *t)
{
	int n = db_run(s,
		       "INSERT INTO tokens VALUES(?, ?, ?, ?, ?) ON CONFLICT(name) DO UPDATE SET"
		       " role = excluded.role, hash = excluded.hash,"
		       " created_ms = excluded.created_ms, revoked_ms = excluded.revoked_ms",
		       "tttii", t->name, t->role, t->hash, t->created_ms, t->revoked_ms);

	return n < 0 ? n : 0;
}

int store_sessions(struct store *s, void (*row)(void *arg, const struct store_session *w),
		   void *arg)
{
	int err = 0;
	sqlite3_stmt *q =
		db_query(s, &err, "SELECT hash, token_name, created_ms, used_ms FROM sessions", "");

	if (!q)
		return err;
	while ((err = db_step(s, q)) == 1)
		row(arg, &(struct store_session){
				 .hash = db_text(q, 0),
				 .token_name = db_text(q, 1),
				 .created_ms = db_u64(q, 2),
				 .used_ms = db_u64(q, 3),
			 });
	db_done(q);
	return err;
}

int store_session_put(struct store *s, const struct store_session *w)
{
	int n = db_run(s, "INSERT OR REPLACE INTO sessions VALUES(?, ?, ?, ?)", "ttii", w->hash,
		       w->token_name, w->created_ms, w->used_ms);

	return n < 0 ? n : 0;
}

int store_session_delete(struct store *s, const char *hash)
{
	int n = db_run(s, "DELETE FROM sessions WHERE hash = ?", "t", hash);

	return n < 0 ? n : 0;
}

int store_sessions_delete_of(struct store *s, const char *token_name)
{
	int n = db_run(s, "DELETE FROM sessions WHERE token_name = ?", "t", token_name);

	return n < 0 ? n : 0;
}
