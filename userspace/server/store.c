// SPDX-License-Identifier: MIT
/* Opening the data directory: where it may lie, who may see it, one process at a time. */
#include "server/store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Not all of them are in <linux/magic.h> everywhere. */
#define MAGIC_SMB  0x517b
#define MAGIC_CIFS 0xff534d42u
#define MAGIC_SMB2 0xfe534d42u
#define MAGIC_FUSE 0x65735546
#define MAGIC_CEPH 0x00c36400

/*
 * A network file system may lie about locks and syncs, a memory one loses everything at a reboot:
 * on neither would "the answer comes after it is durable" hold.
 */
static const char *unsupported_filesystem(int fd)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} refused[] = {
		{NFS_SUPER_MAGIC, "NFS"}, {MAGIC_SMB, "SMB"},	  {MAGIC_CIFS, "SMB"},
		{MAGIC_SMB2, "SMB"},	  {TMPFS_MAGIC, "tmpfs"}, {RAMFS_MAGIC, "ramfs"},
		{MAGIC_FUSE, "FUSE"},	  {MAGIC_CEPH, "Ceph"},
	};
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return NULL;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if ((uint32_t)fs.f_type == refused[i].magic)
			return refused[i].name;
	return NULL;
}

/* Makes the directory and its missing parents. The directory itself is for its owner alone. */
static int make_dir(const char *path)
{
	char *copy, *slash;
	int err = 0;

	if (!mkdir(path, 0700) || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return -errno;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	for (slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) && errno != EEXIST) {
			err = -errno;
			break;
		}
		*slash = '/';
	}
	free(copy);
	if (!err && mkdir(path, 0700) && errno != EEXIST)
		err = -errno;
	return err;
}

/* Opens the directory as an fd and tightens its mode. */
static int open_dir(const char *path, char *why, size_t why_size)
{
	struct stat st;
	const char *fs;
	int fd, err = make_dir(path);

	if (err) {
		snprintf(why, why_size, "cannot make the data directory %s: %s", path,
			 strerror(-err));
		return err;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		err = -errno;
		snprintf(why, why_size, "cannot open the data directory %s: %s", path,
			 strerror(-err));
		goto fail;
	}
	fs = unsupported_filesystem(fd);
	if (fs) {
		snprintf(why, why_size,
			 "startup.unsupported_filesystem: the data directory %s lies on %s; choose "
			 "one on a local disk with --data-dir",
			 path, fs);
		err = -EMEDIUMTYPE;
		goto fail;
	}
	if ((st.st_mode & 077) && fchmod(fd, 0700)) {
		err = -errno;
		snprintf(why, why_size, "the data directory %s is open to others (mode %o): %s",
			 path, st.st_mode & 07777, strerror(-err));
		goto fail;
	}
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	return err;
}

static int take_lock(int dir, const char *path, char *why, size_t why_size)
{
	int fd = openat(dir, "state.db.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err;

	if (fd < 0) {
		err = -errno;
		snprintf(why, why_size, "cannot write in the data directory %s: %s", path,
			 strerror(-err));
		return err;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		snprintf(why, why_size,
			 "store_in_use: the data directory %s is held by another portunus-server; "
			 "stop it or use another --data-dir",
			 path);
		close(fd);
		return err;
	}
	/* Whoever held it before may have left its address. */
	if (ftruncate(fd, 0)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int open_db(struct store *s, int dir, const char *data_dir)
{
	char path[PATH_MAX];
	int rc, fd;

	/* Made by us with the right mode; SQLite gives its log files the same. */
	fd = openat(dir, "state.db", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	if (snprintf(path, sizeof(path), "%s/state.db", data_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return s->db ? db_errno(s, rc) : -ENOMEM;
	sqlite3_extended_result_codes(s->db, 1);
	/* FULL: a commit is in the log on the disk before it returns, power loss included. */
	return db_exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			  "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;");
}

int store_open(const char *data_dir, struct store **out, char *why, size_t why_size)
{
	struct store *s;
	int err, dir;

	why[0] = '\0';
	dir = open_dir(data_dir, why, why_size);
	if (dir < 0)
		return dir;
	s = calloc(1, sizeof(*s));
	if (!s) {
		close(dir);
		return -ENOMEM;
	}
	s->lock_fd = take_lock(dir, data_dir, why, why_size);
	err = s->lock_fd < 0 ? s->lock_fd : open_db(s, dir, data_dir);
	close(dir);
	if (!err)
		err = store_migrate(s, why, why_size);
	if (err) {
		if (!why[0])
			snprintf(why, why_size, "cannot open %s/state.db: %s (%s)", data_dir,
				 store_advice(err), s->message[0] ? s->message : strerror(-err));
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
	for (size_t i = 0; i < STORE_STATEMENTS; i++)
		sqlite3_finalize(s->cached[i].stmt);
	sqlite3_close(s->db);
	if (s->lock_fd >= 0) {
		if (ftruncate(s->lock_fd, 0))
			s->message[0] = '\0';
		close(s->lock_fd);
	}
	free(s);
}

int store_set_holder(struct store *s, const char *line)
{
	size_t n = strlen(line);

	if (ftruncate(s->lock_fd, 0) || pwrite(s->lock_fd, line, n, 0) != (ssize_t)n)
		return -errno;
	return 0;
}

int store_read_holder(const char *data_dir, char *line, size_t size)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	if (snprintf(path, sizeof(path), "%s/state.db.lock", data_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, line, size - 1);
	close(fd);
	if (n <= 0)
		return -ENOENT;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

const char *store_message(const struct store *s)
{
	return s->message;
}

const char *store_advice(int err)
{
	switch (-err) {
	case ENOSPC:
		return "the disk of the data directory is full; free space and try again";
	case EBUSY:
		return "the store is in use by another process";
	case EUCLEAN:
		return "state.db is not a database of Portunus or is damaged; restore a backup";
	case EACCES:
	case EROFS:
		return "the data directory cannot be written; check its owner and its mount";
	case ENOMEM:
		return "out of memory";
	default:
		return "the store could not be written; see the server's log";
	}
}

int store_setting_get(struct store *s, const char *key, char **value)
{
	int err = 0;
	sqlite3_stmt *q = db_query(s, &err, "SELECT value FROM settings WHERE key = ?", "t", key);

	if (!q)
		return err;
	err = db_step(s, q);
	if (err == 1) {
		*value = strdup(db_text(q, 0));
		err = *value ? 0 : -ENOMEM;
	} else if (!err) {
		err = -ENOENT;
	}
	db_done(q);
	return err;
}

int store_setting_put(struct store *s, const char *key, const char *value)
{
	int n = value ? db_run(s, "INSERT OR REPLACE INTO settings VALUES(?, ?)", "tt", key, value)
		      : db_run(s, "DELETE FROM settings WHERE key = ?", "t", key);

	return n < 0 ? n : 0;
}
