// SPDX-License-Identifier: MIT
/* Rules and what has been counted for them. */
#include <errno.h>

#include "server/store_db.h"

int store_rules(struct store *s, void (*row)(void *arg, const struct store_rule *r), void *arg)
{
	int err = 0;
	sqlite3_stmt *q = db_query(s, &err,
				   "SELECT id, client_id, owner, spec, state, reason, created_ms, "
				   "changed_ms FROM rules ORDER BY id",
				   "");

	if (!q)
		return err;
	while ((err = db_step(s, q)) == 1)
		row(arg, &(struct store_rule){
				 .id = db_u64(q, 0),
				 .client_id = db_text(q, 1),
				 .owner = db_text(q, 2),
				 .spec = db_text(q, 3),
				 .state = sqlite3_column_int(q, 4),
				 .reason = db_text(q, 5),
				 .created_ms = db_u64(q, 6),
				 .changed_ms = db_u64(q, 7),
			 });
	db_done(q);
	return err;
}

int store_rule_insert(struct store *s, const struct store_rule *r, uint64_t *id)
{
	int n = store_begin(s);

	if (n)
		return n;
	n = db_run(s,
		   "INSERT INTO rules(client_id, owner, spec, state, reason, created_ms, "
		   "changed_ms) VALUES(?, ?, ?, ?, ?, ?, ?)",
		   "tttitii", r->client_id, r->owner, r->spec, (uint64_t)r->state,
		   r->reason ? r->reason : "", r->created_ms, r->changed_ms);
	*id = (uint64_t)sqlite3_last_insert_rowid(s->db);
	if (n >= 0)
		n = db_run(s, "INSERT INTO counters(rule_id) VALUES(?)", "i", *id);
	if (n < 0) {
		store_rollback(s);
		return n;
	}
	return store_commit(s);
}

int store_rule_set_spec(struct store *s, uint64_t id, const char *spec)
{
	int n = db_run(s, "UPDATE rules SET spec = ? WHERE id = ?", "ti", spec, id);

	return n < 0 ? n : n ? 0 : -ENOENT;
}

int store_rule_set_state(struct store *s, uint64_t id, int state, const char *reason,
			 uint64_t changed_ms)
{
	int n = db_run(s, "UPDATE rules SET state = ?, reason = ?, changed_ms = ? WHERE id = ?",
		       "itii", (uint64_t)state, reason ? reason : "", changed_ms, id);

	return n < 0 ? n : n ? 0 : -ENOENT;
}

int store_rule_delete(struct store *s, uint64_t id)
{
	int n = db_run(s, "DELETE FROM rules WHERE id = ?", "i", id);

	return n < 0 ? n : n ? 0 : -ENOENT;
}

int store_counters(struct store *s, void (*row)(void *arg, const struct store_counters *c),
		   void *arg)
{
	int err = 0;
	sqlite3_stmt *q = db_query(s, &err,
				   "SELECT rule_id, epoch, bytes_in, bytes_out, dns_failures, "
				   "failovers, bytes_in_exported, bytes_out_exported, "
				   "dns_failures_exported, failovers_exported FROM counters",
				   "");

	if (!q)
		return err;
	while ((err = db_step(s, q)) == 1) {
		struct store_counters c = {.rule_id = db_u64(q, 0), .epoch = db_u64(q, 1)};

		for (int i = 0; i < STORE_COUNTERS; i++) {
			c.reported[i] = db_u64(q, 2 + i);
			c.exported[i] = db_u64(q, 2 + STORE_COUNTERS + i);
		}
		row(arg, &c);
	}
	db_done(q);
	return err;
}

int store_counters_put(struct store *s, const struct store_counters *c)
{
	/* An UPDATE: the row of a rule that has just been removed must not come back. */
	int n = db_run(s,
		       "UPDATE counters SET epoch = ?, bytes_in = ?, bytes_out = ?, "
		       "dns_failures = ?, failovers = ?, bytes_in_exported = ?, "
		       "bytes_out_exported = ?, dns_failures_exported = ?, "
		       "failovers_exported = ? WHERE rule_id = ?",
		       "iiiiiiiiii", c->epoch, c->reported[STORE_BYTES_IN],
		       c->reported[STORE_BYTES_OUT], c->reported[STORE_DNS_FAILURES],
		       c->reported[STORE_FAILOVERS], c->exported[STORE_BYTES_IN],
		       c->exported[STORE_BYTES_OUT], c->exported[STORE_DNS_FAILURES],
		       c->exported[STORE_FAILOVERS], c->rule_id);

	return n < 0 ? n : n ? 0 : -ENOENT;
}
