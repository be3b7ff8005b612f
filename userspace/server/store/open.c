// SPDX-License-Identifier: MIT
/* Opening the store: the database and its connections, in a data directory that is held. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "server/store/dir.h"
#include "server/store/ids.h"
#include "server/store/inner.h"
#include "server/store/schema.h"

/* FULL: a commit is in the log on the disk before it returns, power loss included. */
static int open_for_writing(struct db *d, const char *path)
{
	int err = db_open(d, path);

	return err ? err
		   : db_exec(d, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
				"PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;");
}

/* Beside it; whoever reads waits for nobody who writes. */
static int open_for_reading(struct db *d, const char *path)
{
	int err = db_open(d, path);

	return err ? err : db_exec(d, "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;");
}

static int open_db(struct store *s, int dir, const char *data_dir, char *why, size_t why_size)
{
	char path[PATH_MAX];
	int fd, from = 0, err;

	/* Made by us with the right mode; SQLite gives its log files the same. */
	fd = openat(dir, "state.db", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	if (snprintf(path, sizeof(path), "%s/state.db", data_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	err = open_for_writing(&s->place.db, path);
	if (!err)
		err = schema_migrate(&s->place.db, &from, why, why_size);
	if (!err)
		err = ids_open(&s->place, dir, from < 2, &s->restored);
	s->highest_id = s->place.highest_id;
	if (err)
		strcpy(s->message, s->place.db.message);
	return err ? err : open_for_reading(&s->read, path);
}

/* The first who hears of a transaction that was carried out. */
static void on_outcome(void *arg, const struct store_tx *tx)
{
	struct store *s = arg;

	strcpy(s->message, tx->err ? tx->message : "");
	if (!tx->err && tx->given_id > s->highest_id)
		s->highest_id = tx->given_id;
}

int store_open(const char *data_dir, struct store **out, char *why, size_t why_size)
{
	struct store *s;
	int err, dir;

	why[0] = '\0';
	dir = dir_open(data_dir, why, why_size);
	if (dir < 0)
		return dir;
	s = calloc(1, sizeof(*s));
	if (!s) {
		close(dir);
		return -ENOMEM;
	}
	s->place.ids_fd = -1;
	writer_init(&s->writer, &s->place, on_outcome, s);
	s->lock_fd = dir_hold(dir, data_dir, why, why_size);
	err = s->lock_fd < 0 ? s->lock_fd : open_db(s, dir, data_dir, why, why_size);
	close(dir);
	if (err) {
		if (!why[0])
			snprintf(why, why_size, "cannot open %s/state.db: %s (%s)", data_dir,
				 store_advice(err),
				 *store_message(s) ? store_message(s) : strerror(-err));
		store_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	writer_stop(&s->writer);
	db_close(&s->read);
	db_close(&s->place.db);
	if (s->place.ids_fd >= 0)
		close(s->place.ids_fd);
	if (s->lock_fd >= 0) {
		if (ftruncate(s->lock_fd, 0))
			s->message[0] = '\0';
		close(s->lock_fd);
	}
	free(s);
}

uint64_t store_rule_highest(const struct store *s)
{
	return s->highest_id;
}

bool store_was_restored(const struct store *s)
{
	return s->restored;
}
