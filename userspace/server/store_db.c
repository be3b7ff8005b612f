// SPDX-License-Identifier: MIT
/* Statements: prepared once, bound by a type string, errors turned into errnos. */
#include "server/store_db.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int db_errno(struct store *s, int rc)
{
	int os = sqlite3_system_errno(s->db);

	snprintf(s->message, sizeof(s->message), "%s", sqlite3_errmsg(s->db));
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EUCLEAN;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		/* A full disk can also show as a failed write of the log. */
		return os == ENOSPC || os == EDQUOT ? -ENOSPC : os == EACCES ? -EACCES : -EIO;
	default:
		return -EIO;
	}
}

static sqlite3_stmt *prepared(struct store *s, int *err, const char *sql)
{
	size_t i = 0;
	int rc;

	while (i < STORE_STATEMENTS && s->cached[i].sql && s->cached[i].sql != sql)
		i++;
	if (i == STORE_STATEMENTS) {
		i = 0;
		sqlite3_finalize(s->cached[i].stmt);
		s->cached[i].sql = NULL;
	}
	if (s->cached[i].sql)
		return s->cached[i].stmt;
	rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->cached[i].stmt,
				NULL);
	if (rc != SQLITE_OK) {
		*err = db_errno(s, rc);
		return NULL;
	}
	s->cached[i].sql = sql;
	return s->cached[i].stmt;
}

static sqlite3_stmt *bind_all(struct store *s, int *err, const char *sql, const char *types,
			      va_list ap)
{
	sqlite3_stmt *q = prepared(s, err, sql);
	int rc = SQLITE_OK;

	for (int i = 1; q && types[i - 1] && rc == SQLITE_OK; i++) {
		if (types[i - 1] == 't')
			/* Copied: the statement may outlive the caller's text until its reset. */
			rc = sqlite3_bind_text(q, i, va_arg(ap, const char *), -1,
					       SQLITE_TRANSIENT);
		else
			rc = sqlite3_bind_int64(q, i, (sqlite3_int64)va_arg(ap, uint64_t));
	}
	if (rc != SQLITE_OK) {
		*err = db_errno(s, rc);
		db_done(q);
		return NULL;
	}
	return q;
}

sqlite3_stmt *db_query(struct store *s, int *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *q;
	va_list ap;

	va_start(ap, types);
	q = bind_all(s, err, sql, types, ap);
	va_end(ap);
	return q;
}

int db_step(struct store *s, sqlite3_stmt *q)
{
	int rc = sqlite3_step(q);

	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_errno(s, rc);
}

void db_done(sqlite3_stmt *q)
{
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
}

int db_run(struct store *s, const char *sql, const char *types, ...)
{
	sqlite3_stmt *q;
	va_list ap;
	int err = 0;

	va_start(ap, types);
	q = bind_all(s, &err, sql, types, ap);
	va_end(ap);
	if (!q)
		return err;
	err = db_step(s, q);
	db_done(q);
	return err < 0 ? err : sqlite3_changes(s->db);
}

int db_exec(struct store *s, const char *sql)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_errno(s, rc);
}

int store_begin(struct store *s)
{
	int err = db_exec(s, "BEGIN IMMEDIATE");

	s->in_transaction = !err;
	return err;
}

int store_commit(struct store *s)
{
	int err = db_exec(s, "COMMIT");

	if (err)
		store_rollback(s);
	s->in_transaction = false;
	return err;
}

void store_rollback(struct store *s)
{
	char kept[sizeof(s->message)];

	/* SQLite rolls back by itself after some errors; then this one is an error of no interest. */
	snprintf(kept, sizeof(kept), "%s", s->message);
	if (!sqlite3_get_autocommit(s->db))
		db_exec(s, "ROLLBACK");
	snprintf(s->message, sizeof(s->message), "%s", kept);
	s->in_transaction = false;
}
