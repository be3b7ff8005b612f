// SPDX-License-Identifier: MIT
/* The history of rules, targets and edges. */
#include <string.h>

#include "server/store/inner.h"

void store_event_add(struct store_tx *tx, const struct store_event *e)
{
	/* Edges tell the same change of health again after a start of the server. */
	tx_sql(tx, 0,
	       "INSERT INTO events(at_ms, kind, client_id, client, rule_id, owner, target, "
	       "detail) SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE ? IS NULL OR NOT EXISTS("
	       "SELECT 1 FROM events WHERE at_ms = ? AND rule_id = ? AND kind = ? AND "
	       "target = ?)",
	       "itttittttiitt", e->at_ms, e->kind, e->client_id, e->client, e->rule_id, e->owner,
	       e->target, e->detail, e->target, e->at_ms, e->rule_id, e->kind, e->target);
}

void store_events_prune(struct store_tx *tx, uint64_t now_ms)
{
	const uint64_t age = STORE_EVENT_DAYS * 86400ull * 1000;

	tx_sql(tx, 0, "DELETE FROM events WHERE at_ms < ?", "i", now_ms > age ? now_ms - age : 0);
	tx_sql(tx, 0,
	       "DELETE FROM events WHERE seq <= (SELECT seq FROM events ORDER BY "
	       "seq DESC LIMIT 1 OFFSET ?)",
	       "i", (uint64_t)STORE_EVENT_ROWS);
	tx_sql(tx, 0,
	       "DELETE FROM events WHERE seq IN (SELECT seq FROM (SELECT seq, ROW_NUMBER() "
	       "OVER (PARTITION BY rule_id ORDER BY seq DESC) AS n FROM events WHERE "
	       "rule_id IN (SELECT rule_id FROM events WHERE rule_id > 0 GROUP BY rule_id "
	       "HAVING COUNT(*) > ?)) WHERE n > ?)",
	       "ii", (uint64_t)STORE_EVENT_RULE_ROWS, (uint64_t)STORE_EVENT_RULE_ROWS);
}

int store_events(struct store *s, const struct store_event_query *w,
		 void (*row)(void *arg, const struct store_event *e), void *arg)
{
	bool prefix = w->kind && *w->kind && w->kind[strlen(w->kind) - 1] == '.';
	const char *kind = prefix ? NULL : w->kind, *begin = prefix ? w->kind : NULL;
	int err = 0;
	sqlite3_stmt *q = db_query(
		&s->read, &err,
		"SELECT seq, at_ms, kind, client_id, client, rule_id, owner, target, detail "
		"FROM events WHERE at_ms >= ? AND at_ms <= ? AND seq < ? AND (? = 0 OR rule_id = ?) "
		"AND (? IS NULL OR client_id = ? OR client = ?) AND (? IS NULL OR kind = ?) "
		"AND (? IS NULL OR substr(kind, 1, length(?)) = ?) AND (? IS NULL OR owner = ?) "
		"ORDER BY seq DESC LIMIT ?",
		"iiiiitttttttttti", w->since_ms, w->until_ms ? w->until_ms : (uint64_t)INT64_MAX,
		w->before_seq ? w->before_seq : (uint64_t)INT64_MAX, w->rule_id, w->rule_id,
		w->client, w->client, w->client, kind, kind, begin, begin, begin, w->owner,
		w->owner, (uint64_t)w->limit);

	if (!q)
		return err;
	while ((err = db_step(&s->read, q)) == 1)
		row(arg, &(struct store_event){
				 .seq = db_u64(q, 0),
				 .at_ms = db_u64(q, 1),
				 .kind = db_text(q, 2),
				 .client_id = db_text(q, 3),
				 .client = db_text(q, 4),
				 .rule_id = db_u64(q, 5),
				 .owner = db_text(q, 6),
				 .target = db_text(q, 7),
				 .detail = db_text(q, 8),
			 });
	db_done(q);
	return err;
}
