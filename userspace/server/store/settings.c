// SPDX-License-Identifier: MIT
/* Small settings, by key. */
#include <errno.h>
#include <string.h>

#include "server/store/inner.h"

int store_setting_get(struct store *s, const char *key, char **value)
{
	int err = 0;
	sqlite3_stmt *q = db_query(&s->read, &err, "SELECT value FROM settings WHERE key = ?", "t",
				   key);

	if (!q)
		return err;
	err = db_step(&s->read, q);
	if (err == 1) {
		*value = strdup(db_text(q, 0));
		err = *value ? 0 : -ENOMEM;
	} else if (!err) {
		err = -ENOENT;
	}
	db_done(q);
	return err;
}

void store_setting_put(struct store_tx *tx, const char *key, const char *value)
{
	if (value)
		tx_sql(tx, 0, "INSERT OR REPLACE INTO settings VALUES(?, ?)", "tt", key, value);
	else
		tx_sql(tx, 0, "DELETE FROM settings WHERE key = ?", "t", key);
}

uint64_t store_bytes(struct store *s)
{
	int err = 0;
	sqlite3_stmt *q = db_query(
		&s->read, &err,
		"SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()", "");
	uint64_t bytes = 0;

	if (!q)
		return 0;
	if (db_step(&s->read, q) == 1)
		bytes = (uint64_t)sqlite3_column_int64(q, 0);
	db_done(q);
	return bytes;
}
