// SPDX-License-Identifier: MIT
/* The audit trail. */
#include <errno.h>
#include <string.h>

#include "server/store/inner.h"

enum { ALLOWED, DENIED };

static const uint64_t rows_max[] = {STORE_AUDIT_ALLOW_ROWS, STORE_AUDIT_DENY_ROWS};

static int count_rows(struct tx_place *p)
{
	int err = 0;
	sqlite3_stmt *q;

	if (p->audit_counted)
		return 0;
	q = db_query(&p->db, &err, "SELECT outcome, COUNT(*) FROM audit GROUP BY outcome", "");
	if (!q)
		return err;
	p->audit_rows[ALLOWED] = p->audit_rows[DENIED] = 0;
	while ((err = db_step(&p->db, q)) == 1)
		p->audit_rows[strcmp(db_text(q, 0), "deny") ? ALLOWED : DENIED] = db_u64(q, 1);
	db_done(q);
	p->audit_counted = !err;
	return err;
}

/* The oldest of an outcome make room. */
static int keep_to_limit(struct tx_place *p, int kind)
{
	uint64_t n = p->audit_rows[kind], max = rows_max[kind];
	int gone = n <= max ? 0
			    : db_run(&p->db,
				     "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE "
				     "outcome = ? ORDER BY seq LIMIT ?)",
				     "ti", kind == DENIED ? "deny" : "allow", n - max);

	if (gone < 0)
		return gone;
	p->audit_rows[kind] -= (uint64_t)gone;
	return 0;
}

/* The place of the outcome among the values of store_audit_add(). */
#define OUTCOME 6

static int add_row(struct tx_place *p, struct store_tx *tx, const struct tx_step *st)
{
	int kind = strcmp(st->value[OUTCOME].text, "deny") ? ALLOWED : DENIED;
	int n = count_rows(p);

	if (n)
		return n;
	n = db_run_values(&p->db, st->sql, st->types, st->value);
	if (n < 0)
		return n;
	if (st->out)
		*st->out = (uint64_t)sqlite3_last_insert_rowid(p->db.handle);
	p->audit_rows[kind]++;
	return keep_to_limit(p, kind);
}

void store_audit_add(struct store_tx *tx, const struct store_audit *a, uint64_t *seq)
{
	struct tx_step *st = tx_step(
		tx, add_row,
		"INSERT INTO audit(at_ms, actor, role, scope, method, path, outcome, reason, "
		"action, resource_kind, resource_value, details, remote_addr, times) "
		"VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"itttttttttttti", a->at_ms, a->actor, a->role, a->scope, a->method, a->path,
		a->outcome, a->reason, a->action, a->resource_kind, a->resource_value, a->details,
		a->remote_addr, a->times ? a->times : 1);

	if (st)
		st->out = seq;
}

void store_audit_complete(struct store_tx *tx, const struct store_audit *a)
{
	tx_sql(tx, 0,
	       "UPDATE audit SET reason = ?, resource_kind = ?, resource_value = ? "
	       "WHERE seq = ?",
	       "ttti", a->reason, a->resource_kind, a->resource_value, a->seq);
}

void store_audit_set_times(struct store_tx *tx, uint64_t seq, uint64_t times)
{
	tx_sql(tx, 0, "UPDATE audit SET times = ? WHERE seq = ?", "ii", times, seq);
}

static int drop_old(struct tx_place *p, struct store_tx *tx, const struct tx_step *st)
{
	int gone = db_run_values(&p->db, st->sql, st->types, st->value);

	if (gone > 0)
		p->audit_counted = false;
	if (st->out && gone >= 0)
		*st->out = (uint64_t)gone;
	return gone < 0 ? gone : 0;
}

void store_audit_prune(struct store_tx *tx, uint64_t now_ms)
{
	const uint64_t age = STORE_AUDIT_DAYS * 86400ull * 1000;

	tx_step(tx, drop_old, "DELETE FROM audit WHERE at_ms < ?", "i",
		now_ms > age ? now_ms - age : 0);
}

void store_audit_drop(struct store_tx *tx, uint64_t before_ms, uint64_t *gone)
{
	struct tx_step *st = tx_step(tx, drop_old, "DELETE FROM audit WHERE at_ms < ?", "i",
				     before_ms);

	if (st)
		st->out = gone;
}

int store_audit_older(struct store *s, uint64_t before_ms, uint64_t *n)
{
	int err = 0;
	sqlite3_stmt *q = db_query(&s->read, &err, "SELECT COUNT(*) FROM audit WHERE at_ms < ?",
				   "i", before_ms);

	if (!q)
		return err;
	err = db_step(&s->read, q);
	if (err == 1)
		*n = db_u64(q, 0);
	db_done(q);
	return err < 0 ? err : 0;
}

int store_audit_list(struct store *s, const struct store_audit_query *w,
		     void (*row)(void *arg, const struct store_audit *a), void *arg)
{
	int err = 0;
	sqlite3_stmt *q =
		db_query(&s->read, &err,
			 "SELECT seq, at_ms, actor, role, scope, method, path, outcome, reason, "
			 "action, resource_kind, resource_value, details, remote_addr, times "
			 "FROM audit WHERE at_ms >= ? AND at_ms <= ? AND seq < ? AND (? IS NULL OR "
			 "outcome = ?) ORDER BY seq DESC LIMIT ?",
			 "iiitti", w->since_ms, w->until_ms ? w->until_ms : (uint64_t)INT64_MAX,
			 w->before_seq ? w->before_seq : (uint64_t)INT64_MAX, w->outcome,
			 w->outcome, (uint64_t)w->limit);

	if (!q)
		return err;
	while ((err = db_step(&s->read, q)) == 1)
		row(arg, &(struct store_audit){
				 .seq = db_u64(q, 0),
				 .at_ms = db_u64(q, 1),
				 .actor = db_text(q, 2),
				 .role = db_text(q, 3),
				 .scope = db_text(q, 4),
				 .method = db_text(q, 5),
				 .path = db_text(q, 6),
				 .outcome = db_text(q, 7),
				 .reason = db_text(q, 8),
				 .action = db_text(q, 9),
				 .resource_kind = db_text(q, 10),
				 .resource_value = db_text(q, 11),
				 .details = db_text(q, 12),
				 .remote_addr = db_text(q, 13),
				 .times = db_u64(q, 14),
			 });
	db_done(q);
	return err;
}
