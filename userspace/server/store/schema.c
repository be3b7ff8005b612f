// SPDX-License-Identifier: MIT
/* The tables, as a list of migrations: step N turns schema N into N + 1. */
#include "server/store/schema.h"

#include <errno.h>
#include <stdio.h>

#include "server/store/store.h"

static const char *const migrations[STORE_SCHEMA_VERSION] = {
	"CREATE TABLE clients("
	" id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT, token_hash TEXT NOT NULL UNIQUE,"
	" provisioned_ms INTEGER NOT NULL, revoked_ms INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE TABLE codes("
	" hash TEXT PRIMARY KEY, client_id TEXT NOT NULL, name TEXT NOT NULL, address TEXT,"
	" endpoint TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
	" used_ms INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE TABLE tokens("
	" name TEXT PRIMARY KEY, role TEXT NOT NULL CHECK(role IN('admin','operator','viewer')),"
	" hash TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL,"
	" revoked_ms INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE TABLE sessions("
	" hash TEXT PRIMARY KEY, token_name TEXT NOT NULL, created_ms INTEGER NOT NULL,"
	" used_ms INTEGER NOT NULL) STRICT;"
	/* AUTOINCREMENT: an id is not given again, not even that of the last, deleted rule. */
	"CREATE TABLE rules("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, client_id TEXT NOT NULL REFERENCES clients(id),"
	" owner TEXT NOT NULL, spec TEXT NOT NULL, state INTEGER NOT NULL, reason TEXT NOT NULL,"
	" created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL) STRICT;"
	"CREATE INDEX rules_client ON rules(client_id);"
	"CREATE TABLE counters("
	" rule_id INTEGER PRIMARY KEY REFERENCES rules(id) ON DELETE CASCADE,"
	" epoch INTEGER NOT NULL DEFAULT 0,"
	" bytes_in INTEGER NOT NULL DEFAULT 0, bytes_out INTEGER NOT NULL DEFAULT 0,"
	" dns_failures INTEGER NOT NULL DEFAULT 0, failovers INTEGER NOT NULL DEFAULT 0,"
	" bytes_in_exported INTEGER NOT NULL DEFAULT 0,"
	" bytes_out_exported INTEGER NOT NULL DEFAULT 0,"
	" dns_failures_exported INTEGER NOT NULL DEFAULT 0,"
	" failovers_exported INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE TABLE audit("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, actor TEXT NOT NULL,"
	" role TEXT, scope TEXT, method TEXT NOT NULL, path TEXT NOT NULL, outcome TEXT NOT NULL,"
	" reason TEXT, action TEXT, resource_kind TEXT, resource_value TEXT, details TEXT) STRICT;"
	"CREATE INDEX audit_time ON audit(at_ms);"
	"CREATE TABLE settings(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;",

	/* An update that no edge has confirmed lies beside the rule that is in force. */
	"ALTER TABLE rules ADD COLUMN pending_spec TEXT;"
	/* From where, and for how many alike a row stands. */
	"ALTER TABLE audit ADD COLUMN remote_addr TEXT;"
	"ALTER TABLE audit ADD COLUMN times INTEGER NOT NULL DEFAULT 1;"
	"CREATE INDEX audit_outcome ON audit(outcome, seq);"
	"ALTER TABLE tokens ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tokens ADD COLUMN used_ms INTEGER NOT NULL DEFAULT 0;"
	/* What happened to rules, targets and edges. */
	"CREATE TABLE events("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,"
	" client_id TEXT, client TEXT, rule_id INTEGER, owner TEXT, target TEXT, detail TEXT) STRICT;"
	"CREATE INDEX events_time ON events(at_ms);"
	"CREATE INDEX events_rule ON events(rule_id, seq);",

	/* What all rules of an owner may do together, on one edge. */
	"CREATE TABLE owner_caps("
	" client_id TEXT NOT NULL REFERENCES clients(id) ON DELETE CASCADE, owner TEXT NOT NULL,"
	" spec TEXT NOT NULL, updated_ms INTEGER NOT NULL, PRIMARY KEY(client_id, owner)) STRICT;",
};

int schema_version(struct db *d)
{
	int err = 0, version;
	sqlite3_stmt *q = db_query(d, &err, "PRAGMA user_version", "");

	if (!q)
		return err;
	err = db_step(d, q);
	version = err == 1 ? sqlite3_column_int(q, 0) : err ? err : -EIO;
	db_done(q);
	return version;
}

static int migrate_from(struct db *d, int version)
{
	char pragma[48];
	int err = db_begin(d);

	if (err)
		return err;
	err = db_exec(d, migrations[version]);
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", version + 1);
	if (!err)
		err = db_exec(d, pragma);
	if (err) {
		db_rollback(d);
		return err;
	}
	return db_commit(d);
}

int schema_migrate(struct db *d, int *from, char *why, size_t why_size)
{
	int version = schema_version(d);

	*from = version;
	if (version > STORE_SCHEMA_VERSION) {
		snprintf(
			why, why_size,
			"state.db has schema %d, this program knows %d; run the newer version that "
			"wrote it",
			version, STORE_SCHEMA_VERSION);
		return -EPROTO;
	}
	for (; version >= 0 && version < STORE_SCHEMA_VERSION; version++) {
		int err = migrate_from(d, version);

		if (err)
			return err;
	}
	return version < 0 ? version : 0;
}
