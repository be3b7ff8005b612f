/* SPDX-License-Identifier: MIT */
/* One connection to the database: statements bound by a type string, errors turned into errnos. */
#ifndef PORTUNUS_SERVER_STORE_DB_H
#define PORTUNUS_SERVER_STORE_DB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#define DB_STATEMENTS	64
#define DB_MESSAGE_SIZE 256

/* One thread at a time. @cached holds prepared statements, found again by the address of their text. */
struct db {
	sqlite3 *handle;
	bool stuck; /* the last wait for another process's lock was in vain */
	char message[DB_MESSAGE_SIZE];
	struct {
		const char *sql;
		sqlite3_stmt *stmt;
	} cached[DB_STATEMENTS];
};

/* 0 or a negative errno of store.h. */
int db_open(struct db *d, const char *path);
void db_close(struct db *d);
/* What @rc of SQLite is as an errno; its words go into @message. */
int db_error(struct db *d, int rc);
/* Reads every page. -EUCLEAN for a damaged file. */
int db_check(struct db *d);

/* A value to bind: the text or, where the type says 'i', the number. */
struct db_value {
	const char *text;
	uint64_t number;
};

/*
 * Prepares @sql (a string literal with program lifetime) and binds the arguments: 't' a text or
 * NULL, 'i' a uint64_t. Returns NULL after a failure, with *err set. To be given back to db_done().
 */
sqlite3_stmt *db_query(struct db *d, int *err, const char *sql, const char *types, ...);
sqlite3_stmt *db_query_values(struct db *d, int *err, const char *sql, const char *types,
			      const struct db_value *values);
/* Steps once: 1 for a row, 0 at the end, or a negative errno. */
int db_step(struct db *d, sqlite3_stmt *q);
void db_done(sqlite3_stmt *q);
/* Runs a statement without rows. Returns the number of rows changed or a negative errno. */
int db_run(struct db *d, const char *sql, const char *types, ...);
int db_run_values(struct db *d, const char *sql, const char *types, const struct db_value *values);
int db_exec(struct db *d, const char *sql);

/* A transaction that writes. db_begin() waits for another process's lock; a failed commit has rolled back. */
int db_begin(struct db *d);
int db_commit(struct db *d);
void db_rollback(struct db *d);

static inline const char *db_text(sqlite3_stmt *q, int col)
{
	return (const char *)sqlite3_column_text(q, col);
}

static inline uint64_t db_u64(sqlite3_stmt *q, int col)
{
	return (uint64_t)sqlite3_column_int64(q, col);
}

#endif
