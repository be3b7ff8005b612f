// SPDX-License-Identifier: MIT
/* A data directory without its store, as before the first start but for certificate and settings. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/backup/magic.h"
#include "server/backup/restore.h"
#include "server/store/copy.h"

/*
 * The database first: SQLite drops a log that it finds beside an empty one, but would take the database alone
 * for a whole one.
 */
static const char *const names[] = {STORE_FILE, STORE_FILE "-wal", STORE_FILE "-shm"};

static int remove_all(int dir, const char *data_dir, bool dry, reset_name each, void *arg)
{
	char path[PATH_MAX];
	struct stat st;
	int err = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !err; i++) {
		if (fstatat(dir, names[i], &st, AT_SYMLINK_NOFOLLOW))
			continue;
		snprintf(path, sizeof(path), "%s/%s", data_dir, names[i]);
		if (!dry && unlinkat(dir, names[i], 0))
			err = -errno;
		if (!err)
			each(arg, path);
	}
	if (!err && !dry && fsync(dir))
		err = -errno;
	return err;
}

/* What is called so and is not a database is somebody's file. */
static int check(int dir, const char *data_dir, char *why, size_t why_size)
{
	int fd = openat(dir, STORE_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), err = 0;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	/* An empty one is what a start that was broken off leaves. */
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (st.st_size && !magic_is_sqlite(fd))) {
		snprintf(why, why_size, "%s/" STORE_FILE " is not a database of SQLite", data_dir);
		err = -EUCLEAN;
	}
	close(fd);
	return err;
}

int reset_store(const char *data_dir, bool dry, reset_name each, void *arg, char *why,
		size_t why_size)
{
	struct store_hold *h;
	int err = store_hold(data_dir, &h, why, why_size);

	if (err)
		return err;
	err = check(store_hold_fd(h), data_dir, why, why_size);
	if (!err)
		err = remove_all(store_hold_fd(h), data_dir, dry, each, arg);
	if (err && !why[0])
		snprintf(why, why_size, "%s", strerror(-err));
	store_hold_end(h);
	return err;
}
