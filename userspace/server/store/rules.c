// SPDX-License-Identifier: MIT
/* Rules and what has been counted for them. */
#include <errno.h>

#include "server/store/inner.h"

int store_rules(struct store *s, void (*row)(void *arg, const struct store_rule *r), void *arg)
{
	int err = 0;
	sqlite3_stmt *q = db_query(&s->read, &err,
				   "SELECT id, client_id, owner, spec, state, reason, created_ms, "
				   "changed_ms, pending_spec FROM rules ORDER BY id",
				   "");

	if (!q)
		return err;
	while ((err = db_step(&s->read, q)) == 1)
		row(arg, &(struct store_rule){
				 .id = db_u64(q, 0),
				 .client_id = db_text(q, 1),
				 .owner = db_text(q, 2),
				 .spec = db_text(q, 3),
				 .state = sqlite3_column_int(q, 4),
				 .reason = db_text(q, 5),
				 .created_ms = db_u64(q, 6),
				 .changed_ms = db_u64(q, 7),
				 .pending_spec = db_text(q, 8),
			 });
	db_done(q);
	return err;
}

static int insert_rule(struct tx_place *p, struct store_tx *tx, const struct tx_step *st)
{
	int n = db_run_values(&p->db, st->sql, st->types, st->value);

	if (n < 0)
		return n;
	*st->out = tx->given_id = (uint64_t)sqlite3_last_insert_rowid(p->db.handle);
	n = db_run(&p->db, "INSERT INTO counters(rule_id) VALUES(?)", "i", *st->out);
	return n < 0 ? n : 0;
}

void store_rule_insert(struct store_tx *tx, const struct store_rule *r, uint64_t *id)
{
	struct tx_step *st =
		tx_step(tx, insert_rule,
			"INSERT INTO rules(client_id, owner, spec, state, reason, created_ms, "
			"changed_ms) VALUES(?, ?, ?, ?, ?, ?, ?)",
			"tttitii", r->client_id, r->owner, r->spec, (uint64_t)r->state,
			r->reason ? r->reason : "", r->created_ms, r->changed_ms);

	if (st)
		st->out = id;
}

static int raise_sequence(struct tx_place *p, struct store_tx *tx, const struct tx_step *st)
{
	int n = db_run_values(&p->db, st->sql, st->types, st->value);

	/* SQLite makes the row with the first rule. */
	if (!n)
		n = db_run(
			&p->db,
			"INSERT INTO sqlite_sequence(name, seq) SELECT 'rules', ? WHERE NOT EXISTS("
			"SELECT 1 FROM sqlite_sequence WHERE name = 'rules')",
			"i", st->value[0].number);
	tx->given_id = st->value[0].number;
	return n < 0 ? n : 0;
}

void store_rule_raise(struct store_tx *tx, uint64_t id)
{
	tx_step(tx, raise_sequence,
		"UPDATE sqlite_sequence SET seq = ? WHERE name = 'rules' AND seq < ?", "ii", id,
		id);
}

void store_rule_set_pending(struct store_tx *tx, uint64_t id, const char *spec)
{
	tx_sql(tx, -ENOENT, "UPDATE rules SET pending_spec = ? WHERE id = ?", "ti", spec, id);
}

void store_rule_drop_pending(struct store_tx *tx, uint64_t id, const char *spec)
{
	tx_sql(tx, 0, "UPDATE rules SET pending_spec = NULL WHERE id = ? AND pending_spec = ?",
	       "it", id, spec);
}

void store_rule_confirm(struct store_tx *tx, uint64_t id, const char *spec, int state,
			uint64_t changed_ms)
{
	tx_sql(tx, -ENOENT,
	       "UPDATE rules SET spec = ?, pending_spec = NULLIF(pending_spec, ?), state = ?, "
	       "reason = '', changed_ms = ? WHERE id = ?",
	       "ttiii", spec, spec, (uint64_t)state, changed_ms, id);
}

void store_rule_set_state(struct store_tx *tx, uint64_t id, int state, const char *reason,
			  uint64_t changed_ms)
{
	/* Whoever removed the rule meanwhile was sooner. */
	tx_sql(tx, 0, "UPDATE rules SET state = ?, reason = ?, changed_ms = ? WHERE id = ?", "itii",
	       (uint64_t)state, reason ? reason : "", changed_ms, id);
}

void store_rule_delete(struct store_tx *tx, uint64_t id)
{
	tx_sql(tx, -ENOENT, "DELETE FROM rules WHERE id = ?", "i", id);
}

int store_counters(struct store *s, void (*row)(void *arg, const struct store_counters *c),
		   void *arg)
{
	int err = 0;
	sqlite3_stmt *q = db_query(&s->read, &err,
				   "SELECT rule_id, epoch, bytes_in, bytes_out, dns_failures, "
				   "failovers, bytes_in_exported, bytes_out_exported, "
				   "dns_failures_exported, failovers_exported FROM counters",
				   "");

	if (!q)
		return err;
	while ((err = db_step(&s->read, q)) == 1) {
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

void store_counters_put(struct store_tx *tx, const struct store_counters *c)
{
	/* An UPDATE: the row of a rule that has just been removed must not come back. */
	tx_sql(tx, 0,
	       "UPDATE counters SET epoch = ?, bytes_in = ?, bytes_out = ?, "
	       "dns_failures = ?, failovers = ?, bytes_in_exported = ?, "
	       "bytes_out_exported = ?, dns_failures_exported = ?, "
	       "failovers_exported = ? WHERE rule_id = ?",
	       "iiiiiiiiii", c->epoch, c->reported[STORE_BYTES_IN], c->reported[STORE_BYTES_OUT],
	       c->reported[STORE_DNS_FAILURES], c->reported[STORE_FAILOVERS],
	       c->exported[STORE_BYTES_IN], c->exported[STORE_BYTES_OUT],
	       c->exported[STORE_DNS_FAILURES], c->exported[STORE_FAILOVERS], c->rule_id);
}
