// SPDX-License-Identifier: MIT
/*
 * Rule ids are never given twice, also after an older copy of state.db was put in its place: the
 * highest id lies in a file beside it, which a restore of state.db does not bring back.
 */
#include "server/store/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The number of restores grows. In a transaction. */
static int next_generation(struct tx_place *p)
{
	uint64_t n = 1;
	int err = 0;
	sqlite3_stmt *q = db_query(&p->db, &err,
				   "SELECT CAST(value AS INTEGER) FROM settings WHERE key = ?", "t",
				   STORE_GENERATION);
	char text[24];

	if (!q)
		return err;
	err = db_step(&p->db, q);
	if (err == 1)
		n = db_u64(q, 0);
	db_done(q);
	if (err < 0)
		return err;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)n + 1);
	err = db_run(&p->db, "INSERT OR REPLACE INTO settings VALUES(?, ?)", "tt", STORE_GENERATION,
		     text);
	return err < 0 ? err : 0;
}

static int leave_out(struct tx_place *p, uint64_t id)
{
	int err = db_begin(&p->db);

	if (err)
		return err;
	err = write_sequence(p, id);
	if (!err)
		err = next_generation(p);
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
		err = leave_out(p, given);
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
