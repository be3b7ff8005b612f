// SPDX-License-Identifier: MIT
/* One connection to the database: statements bound by a type string, errors turned into errnos. */
#include "server/store/db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Of a bound list at most; no statement has more. */
#define VALUES_MAX 24

/* How long a writer waits for another process, like an administrator's sqlite3, to end its own. */
#define BUSY_MS 5000
/* After one wait in vain: whoever stands in line behind it must not wait as long again, one after the other. */
#define BUSY_STUCK_MS 100

int db_error(struct db *d, int rc)
{
	int os = sqlite3_system_errno(d->handle);

	snprintf(d->message, sizeof(d->message), "%s", sqlite3_errmsg(d->handle));
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

static sqlite3_stmt *prepared(struct db *d, int *err, const char *sql)
{
	size_t i = 0;
	int rc;

	while (i < DB_STATEMENTS && d->cached[i].sql && d->cached[i].sql != sql)
		i++;
	if (i == DB_STATEMENTS) {
		i = 0;
		sqlite3_finalize(d->cached[i].stmt);
		d->cached[i].sql = NULL;
	}
	if (d->cached[i].sql)
		return d->cached[i].stmt;
	rc = sqlite3_prepare_v3(d->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &d->cached[i].stmt,
				NULL);
	if (rc != SQLITE_OK) {
		*err = db_error(d, rc);
		return NULL;
	}
	d->cached[i].sql = sql;
	return d->cached[i].stmt;
}

sqlite3_stmt *db_query_values(struct db *d, int *err, const char *sql, const char *types,
			      const struct db_value *values)
{
	sqlite3_stmt *q = prepared(d, err, sql);
	int rc = SQLITE_OK;

	for (int i = 0; q && types[i] && rc == SQLITE_OK; i++) {
		if (types[i] == 't')
			/* Copied: the statement may outlive the caller's text until its reset. */
			rc = sqlite3_bind_text(q, i + 1, values[i].text, -1, SQLITE_TRANSIENT);
		else
			rc = sqlite3_bind_int64(q, i + 1, (sqlite3_int64)values[i].number);
	}
	if (rc != SQLITE_OK) {
		*err = db_error(d, rc);
		db_done(q);
		return NULL;
	}
	return q;
}

static void take_values(struct db_value *values, const char *types, va_list ap)
{
	for (int i = 0; types[i] && i < VALUES_MAX; i++) {
		if (types[i] == 't')
			values[i].text = va_arg(ap, const char *);
		else
			values[i].number = va_arg(ap, uint64_t);
	}
}

sqlite3_stmt *db_query(struct db *d, int *err, const char *sql, const char *types, ...)
{
	struct db_value values[VALUES_MAX];
	va_list ap;

	va_start(ap, types);
	take_values(values, types, ap);
	va_end(ap);
	return db_query_values(d, err, sql, types, values);
}

int db_step(struct db *d, sqlite3_stmt *q)
{
	int rc = sqlite3_step(q);

	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_error(d, rc);
}

void db_done(sqlite3_stmt *q)
{
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
}

int db_run_values(struct db *d, const char *sql, const char *types, const struct db_value *values)
{
	int err = 0;
	sqlite3_stmt *q = db_query_values(d, &err, sql, types, values);

	if (!q)
		return err;
	err = db_step(d, q);
	db_done(q);
	return err < 0 ? err : sqlite3_changes(d->handle);
}

int db_run(struct db *d, const char *sql, const char *types, ...)
{
	struct db_value values[VALUES_MAX];
	va_list ap;

	va_start(ap, types);
	take_values(values, types, ap);
	va_end(ap);
	return db_run_values(d, sql, types, values);
}

int db_exec(struct db *d, const char *sql)
{
	int rc = sqlite3_exec(d->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_error(d, rc);
}

int db_begin(struct db *d)
{
	int err;

	sqlite3_busy_timeout(d->handle, d->stuck ? BUSY_STUCK_MS : BUSY_MS);
	err = db_exec(d, "BEGIN IMMEDIATE");
	sqlite3_busy_timeout(d->handle, BUSY_MS);
	d->stuck = err == -EBUSY;
	return err;
}

int db_commit(struct db *d)
{
	int err = db_exec(d, "COMMIT");

	if (err)
		db_rollback(d);
	return err;
}

void db_rollback(struct db *d)
{
	char kept[sizeof(d->message)];

	/* SQLite rolls back by itself after some errors; then this one is an error of no interest. */
	snprintf(kept, sizeof(kept), "%s", d->message);
	if (!sqlite3_get_autocommit(d->handle))
		db_exec(d, "ROLLBACK");
	snprintf(d->message, sizeof(d->message), "%s", kept);
}

int db_open(struct db *d, const char *path)
{
	int rc = sqlite3_open_v2(path, &d->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
				 NULL);

	if (rc != SQLITE_OK)
		return d->handle ? db_error(d, rc) : -ENOMEM;
	sqlite3_extended_result_codes(d->handle, 1);
	/* Somebody who looks at the file with sqlite3 must not keep the server from starting. */
	sqlite3_busy_timeout(d->handle, BUSY_MS);
	return 0;
}

int db_check(struct db *d)
{
	int err = 0;
	sqlite3_stmt *q = db_query(d, &err, "PRAGMA integrity_check(1)", "");

	if (!q)
		return err;
	err = db_step(d, q);
	if (err == 1 && strcmp(db_text(q, 0), "ok")) {
		snprintf(d->message, sizeof(d->message), "%s", db_text(q, 0));
		err = -EUCLEAN;
	}
	db_done(q);
	return err < 0 ? err : 0;
}

void db_close(struct db *d)
{
	for (size_t i = 0; i < DB_STATEMENTS; i++)
		sqlite3_finalize(d->cached[i].stmt);
	sqlite3_close(d->handle);
}
