/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_STORE_DB_H
#define PORTUNUS_SERVER_STORE_DB_H

/* What the files of the store share; nobody else includes this but tests. */
#include <sqlite3.h>

#include "server/store.h"

#define STORE_STATEMENTS 48

/* An open store. @cached holds prepared statements, found again by the address of their text. */
struct store {
	sqlite3 *db;
	int lock_fd;
	bool in_transaction;
	char message[256];
	struct {
		const char *sql;
		sqlite3_stmt *stmt;
	} cached[STORE_STATEMENTS];
};

/*
 * Prepares @sql (a string literal with program lifetime) and binds the arguments: 't' a text or
 * NULL, 'i' a uint64_t. Returns NULL after a failure, with *err set. To be given back to db_done().
 */
sqlite3_stmt *db_query(struct store *s, int *err, const char *sql, const char *types, ...);
/* Steps once: 1 for a row, 0 at the end, or a negative errno. */
int db_step(struct store *s, sqlite3_stmt *q);
void db_done(sqlite3_stmt *q);
/* Runs a statement without rows. Returns the number of rows changed or a negative errno. */
int db_run(struct store *s, const char *sql, const char *types, ...);
int db_exec(struct store *s, const char *sql);
/* Maps a result code of SQLite to an errno of store.h and keeps its message. */
int db_errno(struct store *s, int rc);

static inline const char *db_text(sqlite3_stmt *q, int col)
{
	return (const char *)sqlite3_column_text(q, col);
}

static inline uint64_t db_u64(sqlite3_stmt *q, int col)
{
	return (uint64_t)sqlite3_column_int64(q, col);
}

/* Brings an empty or older file up to STORE_SCHEMA_VERSION; -EPROTO for a newer one. */
int store_migrate(struct store *s, char *why, size_t why_size);

#endif
