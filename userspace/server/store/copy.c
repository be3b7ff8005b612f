// SPDX-License-Identifier: MIT
/* A copy of the database, also while a server writes in it. */
#include "server/store/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/db.h"
#include "server/store/staged.h"
#include "server/store/store.h"

/* Between two of them a signal can end the program; they make no difference to anybody else. */
#define PAGES_PER_STEP 1024

struct store_snapshot {
	struct db db;
	int dir; /* shared lock: what is in it is not replaced meanwhile */
};

static int open_dir(const char *data_dir, char *why, size_t why_size)
{
	int fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	struct stat st;

	if (fd < 0 || fstatat(fd, STORE_FILE, &st, 0)) {
		err = -errno;
		snprintf(why, why_size, "cannot read %s/" STORE_FILE ": %s", data_dir,
			 strerror(-err));
		goto fail;
	}
	err = S_ISREG(st.st_mode) && st.st_size ? 0 : -ENOENT;
	if (err)
		snprintf(why, why_size, "%s/" STORE_FILE " is empty", data_dir);
	if (!err && flock(fd, LOCK_SH | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		snprintf(why, why_size, "%s is being restored or reset", data_dir);
	}
	if (!err)
		return fd;
fail:
	if (fd >= 0)
		close(fd);
	return err;
}

/* A restore that was broken off after its moment of change: what counts is what it left ready. */
static int finish_restore(const char *data_dir, int dir, char *why, size_t why_size)
{
	struct store *s;
	int err;

	if (!staged_is_ready(dir))
		return 0;
	err = store_open(data_dir, &s, why, why_size);
	if (!err)
		store_close(s);
	return err;
}

/* A transaction that reads: from now on this connection sees one moment. */
static int begin_reading(struct db *d)
{
	int err = db_exec(d, "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; BEGIN");
	sqlite3_stmt *q = err ? NULL : db_query(d, &err, "SELECT 1 FROM sqlite_schema", "");

	if (!q)
		return err;
	err = db_step(d, q);
	db_done(q);
	return err < 0 ? err : 0;
}

int store_snapshot_open(const char *data_dir, struct store_snapshot **out, char *why,
			size_t why_size)
{
	struct store_snapshot *s = calloc(1, sizeof(*s));
	char path[PATH_MAX];
	int err;

	why[0] = '\0';
	if (!s)
		return -ENOMEM;
	s->dir = open_dir(data_dir, why, why_size);
	err = s->dir < 0 ? s->dir : finish_restore(data_dir, s->dir, why, why_size);
	if (!err && snprintf(path, sizeof(path), "%s/" STORE_FILE, data_dir) >= (int)sizeof(path))
		err = -ENAMETOOLONG;
	if (!err)
		err = db_open(&s->db, path);
	if (!err)
		err = begin_reading(&s->db);
	if (!err) {
		*out = s;
		return 0;
	}
	if (!why[0])
		snprintf(why, why_size, "cannot read %s/" STORE_FILE ": %s", data_dir,
			 s->db.message[0] ? s->db.message : strerror(-err));
	store_snapshot_close(s);
	return err;
}

void store_snapshot_close(struct store_snapshot *s)
{
	if (!s)
		return;
	db_close(&s->db);
	if (s->dir >= 0)
		close(s->dir);
	free(s);
}

static int copy_pages(struct store_snapshot *s, struct db *to)
{
	sqlite3_backup *b = sqlite3_backup_init(to->handle, "main", s->db.handle, "main");
	int rc = SQLITE_OK;

	while (b && rc == SQLITE_OK)
		rc = sqlite3_backup_step(b, PAGES_PER_STEP);
	/* The error of the copy is left in the connection to it. */
	if (!b || (sqlite3_backup_finish(b), rc != SQLITE_DONE))
		return db_error(to, b ? rc : sqlite3_errcode(to->handle));
	return 0;
}

int store_snapshot_copy(struct store_snapshot *s, const char *to, char *why, size_t why_size)
{
	struct db copy = {.handle = NULL};
	int err = db_open(&copy, to);

	/* A copy that is broken off is nobody's; who made the file syncs it. Nobody else looks at it. */
	if (!err)
		err = db_exec(&copy, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; "
				     "PRAGMA synchronous = OFF");
	if (!err)
		err = copy_pages(s, &copy);
	if (!err)
		err = db_check(&copy);
	/* It came with the mark of a database that has a log. */
	if (!err)
		err = db_exec(&copy, "PRAGMA journal_mode = DELETE");
	if (err)
		snprintf(why, why_size, "cannot copy the store: %s (%s)", store_advice(err),
			 copy.message[0] ? copy.message : strerror(-err));
	db_close(&copy);
	return err;
}
