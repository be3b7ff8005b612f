// SPDX-License-Identifier: MIT
/*
 * Rule ids are never given twice, also after an older copy of state.db was put in its place: the
 * highest id lies in a file beside it, which a restore of state.db does not bring back.
 */
#include "server/store/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/atomic_file.h"

#define FILE_NAME "state.db.ids"
/* What is left out where nobody knows which ids were given: a copy of state.db on another host. */
#define UNKNOWN_GAP 1000

/* The highest id that the database knows of. */
static int read_sequence(struct tx_place *p, uint64_t *id)
{
	int err = 0;
	sqlite3_stmt *q = db_query(&p->db, &err, "SELECT seq FROM sqlite_sequence WHERE name = ?",
				   "t", "rules");

	if (!q)
		return err;
	err = db_step(&p->db, q);
	*id = err == 1 ? db_u64(q, 0) : 0;
	db_done(q);
	return err < 0 ? err : 0;
}

/* In a transaction. SQLite makes the row with the first rule. */
static int write_sequence(struct tx_place *p, uint64_t id)
{
	int n = db_run(&p->db, "UPDATE sqlite_sequence SET seq = ? WHERE name = ?", "it", id,
		       "rules");

	if (!n)
		n = db_run(&p->db, "INSERT INTO sqlite_sequence(name, seq) VALUES(?, ?)", "ti",
			   "rules", id);
	return n < 0 ? n : 0;
}

/* Not synced: only a loss of power together with a restore could make it matter. */
static void write_file(struct tx_place *p)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)p->highest_id);

	if (p->ids_fd >= 0 && pwrite(p->ids_fd, text, (size_t)n, 0) == n && ftruncate(p->ids_fd, n))
		p->db.message[0] = '\0';
}

/* Returns whether the file was there. */
static bool read_file(struct tx_place *p, uint64_t *id)
{
	char text[24] = "";

	if (pread(p->ids_fd, text, sizeof(text) - 1, 0) <= 0)
		return false;
	*id = strtoull(text, NULL, 10);
	return *id > 0;
}

uint64_t ids_generation(struct db *d)
{
	uint64_t n = 1;
	int err = 0;
	sqlite3_stmt *q = db_query(d, &err,
				   "SELECT CAST(value AS INTEGER) FROM settings WHERE key = ?", "t",
				   STORE_GENERATION);

	if (!q)
		return 0;
	err = db_step(d, q);
	if (err == 1)
		n = db_u64(q, 0);
	db_done(q);
	return err < 0 ? 0 : n;
}

/* The number of restores grows, and is above @other. In a transaction. */
static int next_generation(struct tx_place *p, uint64_t other)
{
	uint64_t n = ids_generation(&p->db);
	char text[24];
	int rows;

	if (!n)
		return -EIO;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(n > other ? n : other) + 1);
	rows = db_run(&p->db, "INSERT OR REPLACE INTO settings VALUES(?, ?)", "tt",
		      STORE_GENERATION, text);
	return rows < 0 ? rows : 0;
}

static int leave_out(struct tx_place *p, uint64_t id, uint64_t generation)
{
	int err = db_begin(&p->db);

	if (err)
		return err;
	err = write_sequence(p, id);
	if (!err)
		err = next_generation(p, generation);
	if (!err)
		return db_commit(&p->db);
	db_rollback(&p->db);
	return err;
}

int ids_open(struct tx_place *p, int dir, bool older_program, bool *restored)
{
	uint64_t known = 0, given = 0;
	bool there;
	int err;

	p->ids_fd = openat(dir, FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (p->ids_fd < 0)
		return -errno;
	err = read_sequence(p, &known);
	if (err)
		return err;
	there = read_file(p, &given);
	if (!there && known && !older_program)
		given = known + UNKNOWN_GAP;
	*restored = given > known;
	p->highest_id = *restored ? given : known;
	if (*restored)
		err = leave_out(p, given, 0);
	if (!err && (p->highest_id || there))
		write_file(p);
	return err;
}

void ids_given(struct tx_place *p, uint64_t id)
{
	if (id <= p->highest_id)
		return;
	p->highest_id = id;
	write_file(p);
}

int ids_of_restored(struct tx_place *p, int dir, const char *staged, uint64_t generation)
{
	uint64_t known = 0, given = 0;
	char path[PATH_MAX], text[24];
	int err = read_sequence(p, &known), n;
	bool there;

	if (err)
		return err;
	p->ids_fd = openat(dir, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	there = p->ids_fd >= 0 && read_file(p, &given);
	if (p->ids_fd >= 0)
		close(p->ids_fd);
	p->ids_fd = -1;
	if (!there)
		given = known + UNKNOWN_GAP;
	if (given < known)
		given = known;
	err = leave_out(p, given, generation);
	if (err)
		return err;
	if (snprintf(path, sizeof(path), "%s/" FILE_NAME, staged) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)given);
	return file_write_atomic(path, text, (size_t)n, 0600);
}
