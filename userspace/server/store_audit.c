// SPDX-License-Identifier: MIT
/* The audit trail. */
#include "server/store_db.h"

int store_audit_add(struct store *s, const struct store_audit *a)
{
	int n = db_run(s,
		       "INSERT INTO audit(at_ms, actor, role, scope, method, path, outcome, "
		       "reason, action, resource_kind, resource_value, details) "
		       "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		       "ittttttttttt", a->at_ms, a->actor, a->role, a->scope, a->method, a->path,
		       a->outcome, a->reason, a->action, a->resource_kind, a->resource_value,
		       a->details);

	return n < 0 ? n : 0;
}

int store_audit_prune(struct store *s, uint64_t now_ms)
{
	const uint64_t age = STORE_AUDIT_DAYS * 86400ull * 1000;
	int old = db_run(s, "DELETE FROM audit WHERE at_ms < ?", "i",
			 now_ms > age ? now_ms - age : 0);
	int more;

	if (old < 0)
		return old;
	more = db_run(s,
		      "DELETE FROM audit WHERE seq <= (SELECT seq FROM audit ORDER BY seq DESC "
		      "LIMIT 1 OFFSET ?)",
		      "i", (uint64_t)STORE_AUDIT_ROWS);
	return more < 0 ? more : old + more;
}

int store_audit_list(struct store *s, const struct store_audit_query *w,
		     void (*row)(void *arg, const struct store_audit *a), void *arg)
{
	int err = 0;
	sqlite3_stmt *q =
		db_query(s, &err,
			 "SELECT seq, at_ms, actor, role, scope, method, path, outcome, reason, "
			 "action, resource_kind, resource_value, details FROM audit "
			 "WHERE at_ms >= ? AND at_ms <= ? AND seq < ? AND (? IS NULL OR "
			 "outcome = ?) ORDER BY seq DESC LIMIT ?",
			 "iiitti", w->since_ms, w->until_ms ? w->until_ms : (uint64_t)INT64_MAX,
			 w->before_seq ? w->before_seq : (uint64_t)INT64_MAX, w->outcome,
			 w->outcome, (uint64_t)w->limit);

	if (!q)
		return err;
	while ((err = db_step(s, q)) == 1)
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
			 });
	db_done(q);
	return err;
}
