// SPDX-License-Identifier: MIT
/* A copy of some store becomes the one of a data directory: checked, migrated, of a new generation. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/copy.h"
#include "server/store/dir.h"
#include "server/store/ids.h"
#include "server/store/schema.h"
#include "server/store/store.h"

struct store_hold {
	int dir, lock;
	char path[PATH_MAX];
};

int store_hold(const char *data_dir, struct store_hold **out, char *why, size_t why_size)
{
	struct store_hold *h = calloc(1, sizeof(*h));
	int err;

	why[0] = '\0';
	if (!h)
		return -ENOMEM;
	h->lock = -1;
	snprintf(h->path, sizeof(h->path), "%s", data_dir);
	h->dir = dir_open(data_dir, why, why_size);
	if (h->dir >= 0)
		h->lock = dir_hold(h->dir, data_dir, why, why_size);
	err = h->dir < 0 ? h->dir : h->lock < 0 ? h->lock : 0;
	/* Those who copy share this one. */
	if (!err && flock(h->dir, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		snprintf(why, why_size, "a backup of %s is being made; try again when it is there",
			 data_dir);
	}
	if (err) {
		store_hold_end(h);
		return err;
	}
	*out = h;
	return 0;
}

int store_hold_fd(const struct store_hold *h)
{
	return h->dir;
}

void store_hold_end(struct store_hold *h)
{
	if (!h)
		return;
	if (h->lock >= 0)
		close(h->lock);
	if (h->dir >= 0)
		close(h->dir);
	free(h);
}

/* ---- is it a store, and a whole one? ---- */

static uint32_t big_endian(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/*
 * Whole pages, and as many as the header counts (sqlite.org/fileformat.html, 1.3.2 and 1.3.7): SQLite reads
 * what is missing of the last page as zeros.
 */
static int check_size(const char *path, char *why, size_t why_size)
{
	uint8_t head[100] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err = 0;
	uint64_t page, pages;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || pread(fd, head, sizeof(head), 0) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (err)
		return err;
	page = (uint64_t)head[16] << 8 | head[17];
	page = page == 1 ? 65536 : page;
	/* The count is valid where the program that wrote last knew of it. */
	pages = big_endian(head + 24) == big_endian(head + 92) ? big_endian(head + 28) : 1;
	if (page && !((uint64_t)st.st_size % page) && (uint64_t)st.st_size / page >= pages)
		return 0;
	snprintf(why, why_size, "the database in it is not whole");
	return -EUCLEAN;
}

/* Whether the query, of one text or two, has a row. */
static int has_row(struct db *d, const char *sql, const char *one, const char *two)
{
	int err = 0;
	sqlite3_stmt *q = db_query(d, &err, sql, "tt", one, two);

	if (!q)
		return err;
	err = db_step(d, q);
	db_done(q);
	return err;
}

/* Code in a database runs as whoever writes in it. A store has none. */
static int check_code(struct db *d, char *why, size_t why_size)
{
	int n = has_row(d, "SELECT 1 FROM sqlite_schema WHERE type = ? OR type = ?", "trigger",
			"view");

	if (n <= 0)
		return n;
	snprintf(why, why_size, "it has triggers or views, which no store of Portunus has");
	return -EUCLEAN;
}

/* It has every column that a new store has. */
static int check_columns(struct db *d, struct db *model, char *why, size_t why_size)
{
	int err = 0, there = 1;
	sqlite3_stmt *q = db_query(model, &err,
				   "SELECT m.name, c.name FROM sqlite_schema m, "
				   "pragma_table_info(m.name) c WHERE m.type = 'table'",
				   "");

	if (!q)
		return err;
	while (there == 1 && (err = db_step(model, q)) == 1) {
		there = has_row(d, "SELECT 1 FROM pragma_table_info(?) WHERE name = ?",
				db_text(q, 0), db_text(q, 1));
		if (!there)
			snprintf(why, why_size, "it lacks '%s' of the table '%s'", db_text(q, 1),
				 db_text(q, 0));
	}
	db_done(q);
	return there < 0 ? there : !there ? -EUCLEAN : err;
}

static int check_schema(struct db *d, char *why, size_t why_size)
{
	struct db model = {.handle = NULL};
	int from, err = db_open(&model, ":memory:");

	if (!err)
		err = schema_migrate(&model, &from, why, why_size);
	if (!err)
		err = check_columns(d, &model, why, why_size);
	db_close(&model);
	return err;
}

static int migrate(struct db *d, char *why, size_t why_size)
{
	int from = 0, err = schema_migrate(d, &from, why, why_size);

	if (!err || err == -EPROTO || err == -ENOSPC || err == -ENOMEM)
		return err;
	snprintf(why, why_size, "schema %d cannot be brought to that of this program: %s", from,
		 d->message);
	return -ENOTRECOVERABLE;
}

static int check(struct db *d, char *why, size_t why_size)
{
	int err = db_exec(d, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
			     "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");

	if (!err)
		err = db_check(d);
	if (!err)
		err = check_code(d, why, why_size);
	/* A new, empty database has the version 0, as those of most other programs have. */
	if (!err && !schema_version(d)) {
		snprintf(why, why_size, "it is a database, but not a store of Portunus");
		err = -EUCLEAN;
	}
	if (!err)
		err = migrate(d, why, why_size);
	return err ? err : check_schema(d, why, why_size);
}

/* ---- what it takes over from the store that is there ---- */

/* Of the store that is to be replaced, which may be damaged, or not be there: then 0. */
static uint64_t generation_there(const struct store_hold *h)
{
	struct db d = {.handle = NULL};
	char path[PATH_MAX];
	uint64_t n = 0;

	if (snprintf(path, sizeof(path), "%s/" STORE_FILE, h->path) < (int)sizeof(path) &&
	    !access(path, F_OK) && !db_open(&d, path))
		n = ids_generation(&d);
	db_close(&d);
	return n;
}

int store_hold_prepare(const struct store_hold *h, const char *path, char *why, size_t why_size)
{
	struct tx_place p = {.ids_fd = -1};
	char file[PATH_MAX];
	int err;

	why[0] = '\0';
	if (snprintf(file, sizeof(file), "%s/" STORE_FILE, path) >= (int)sizeof(file))
		return -ENAMETOOLONG;
	err = check_size(file, why, why_size);
	if (!err)
		err = db_open(&p.db, file);
	if (!err)
		err = check(&p.db, why, why_size);
	if (!err)
		err = ids_of_restored(&p, h->dir, path, generation_there(h));
	if (!err)
		err = db_exec(&p.db, "PRAGMA journal_mode = DELETE");
	if (err && !why[0])
		snprintf(why, why_size, "%s", p.db.message[0] ? p.db.message : strerror(-err));
	db_close(&p.db);
	return err;
}
