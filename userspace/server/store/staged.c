// SPDX-License-Identifier: MIT
/* Several files of the data directory that are replaced together, whatever happens in between. */
#include "server/store/staged.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATABASE "state.db"

/* Calls @each for every name in the directory. 0, or the first error. */
static int each_name(int parent, const char *name, int (*each)(int dir, int from, const char *name))
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), err = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	while (!err && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			err = each(parent, fd, e->d_name);
	closedir(d);
	return err;
}

static int remove_one(int dir, int from, const char *name)
{
	return unlinkat(from, name, 0) ? -errno : 0;
}

static int remove_all(int dir, const char *name)
{
	int err = each_name(dir, name, remove_one);

	if (!err && unlinkat(dir, name, AT_REMOVEDIR))
		err = -errno;
	return err == -ENOENT ? 0 : err;
}

static int unlink_if_there(int dir, const char *name)
{
	return unlinkat(dir, name, 0) && errno != ENOENT ? -errno : 0;
}

/*
 * The log of the database that is there would be taken for the new one's. It goes first: the new database is
 * certain to come, now or later.
 */
static int drop_log(int dir)
{
	int err = unlink_if_there(dir, DATABASE "-wal");

	return err ? err : unlink_if_there(dir, DATABASE "-shm");
}

static int place(int dir, int from, const char *name)
{
	size_t n = strlen(name), ending = strlen(STAGED_GONE);
	char gone[NAME_MAX + 1];
	int err = 0;

	if (n > ending && !strcmp(name + n - ending, STAGED_GONE)) {
		snprintf(gone, sizeof(gone), "%.*s", (int)(n - ending), name);
		err = unlink_if_there(dir, gone);
		return err ? err : unlink_if_there(from, name);
	}
	if (!strcmp(name, DATABASE))
		err = drop_log(dir);
	if (!err && renameat(from, name, dir, name))
		err = -errno;
	return err;
}

static int sync_file(int dir, int from, const char *name)
{
	int fd = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

bool staged_is_ready(int dir)
{
	return !faccessat(dir, STAGED_READY, F_OK, AT_SYMLINK_NOFOLLOW);
}

int staged_begin(int dir)
{
	int err = remove_all(dir, STAGED_NEW), fd;

	if (!err && mkdirat(dir, STAGED_NEW, 0700))
		err = -errno;
	if (err)
		return err;
	fd = openat(dir, STAGED_NEW, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void staged_drop(int dir)
{
	/* Whoever takes the lock next tries again. */
	(void)remove_all(dir, STAGED_NEW);
}

int staged_commit(int dir, int staged)
{
	int err = each_name(dir, STAGED_NEW, sync_file);

	if (!err && fsync(staged))
		err = -errno;
	if (!err && renameat(dir, STAGED_NEW, dir, STAGED_READY))
		err = -errno;
	if (!err && fsync(dir))
		err = -errno;
	return err ? err : staged_finish(dir);
}

int staged_finish(int dir)
{
	int err;

	if (!staged_is_ready(dir)) {
		staged_drop(dir);
		return 0;
	}
	err = each_name(dir, STAGED_READY, place);
	/* What was moved is on the disk in its new place before nothing says any more that it has to be. */
	if (!err && fsync(dir))
		err = -errno;
	if (!err && unlinkat(dir, STAGED_READY, AT_REMOVEDIR))
		err = -errno;
	if (!err && fsync(dir))
		err = -errno;
	return err;
}
