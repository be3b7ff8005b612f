// SPDX-License-Identifier: MIT
/* The way back: a backup becomes the state of a data directory, all of it or nothing. */
#include "server/backup/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/atomic_file.h"
#include "server/backup/archive.h"
#include "server/backup/magic.h"
#include "server/store/copy.h"
#include "server/store/staged.h"

#define BLOCK (64 * 1024)

_Static_assert(sizeof(RESTORE_STAGED) == sizeof(STAGED_NEW), "one name");

/* ---- the backup ---- */

int restore_open(struct restore *r, const char *path)
{
	struct stat st;
	int err;

	*r = (struct restore){.staged = -1};
	/* Not a wait for somebody who writes into a pipe. */
	r->in = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (r->in < 0 || fstat(r->in, &st)) {
		err = -errno;
		snprintf(r->why, sizeof(r->why), "cannot read %s: %s", path, strerror(-err));
		return err;
	}
	if (S_ISREG(st.st_mode) && magic_is_tar(r->in)) {
		r->full = true;
		return 0;
	}
	if (S_ISREG(st.st_mode) && magic_is_sqlite(r->in))
		return 0;
	snprintf(r->why, sizeof(r->why), "%s is neither a database of SQLite nor a tar", path);
	return -EUCLEAN;
}

static int copy_plain(struct restore *r)
{
	int fd = openat(r->staged, STORE_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : 0;
	char *block = malloc(BLOCK);
	off_t at = 0;
	ssize_t n;

	if (!err && !block)
		err = -ENOMEM;
	while (!err && (n = pread(r->in, block, BLOCK, at)) != 0) {
		err = n < 0 ? -errno : file_write_all(fd, block, (size_t)n);
		at += n;
	}
	free(block);
	if (fd >= 0)
		close(fd);
	if (err)
		snprintf(r->why, sizeof(r->why), "cannot copy the backup: %s", strerror(-err));
	return err;
}

/* ---- what is to come ---- */

static bool is_there(int dir, const char *name)
{
	return !faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

static int spare(struct restore *r, const char *data_dir, const char *name)
{
	if (!is_there(store_hold_fd(r->hold), name))
		return 0;
	snprintf(r->why, sizeof(r->why), "%s/%s is there; --force replaces it", data_dir, name);
	return -EEXIST;
}

static int spare_parts(struct restore *r, const char *data_dir, const struct parts *parts)
{
	int err = 0;

	for (int i = 0; i < PARTS && !err; i++)
		if (parts->data[i])
			err = spare(r, data_dir, part_names[i]);
	return err;
}

/* What belongs to the pair that is there must not stay beside another one: a next one would take its place. */
static int mark_gone(struct restore *r, const struct parts *parts)
{
	static const enum part of_pair[] = {PART_NEXT_CERT, PART_NEXT_KEY, PART_MARKER};
	char name[64];

	for (size_t i = 0; i < sizeof(of_pair) / sizeof(of_pair[0]); i++) {
		int fd;

		if (parts->data[of_pair[i]] ||
		    !is_there(store_hold_fd(r->hold), part_names[of_pair[i]]))
			continue;
		snprintf(name, sizeof(name), "%s" STAGED_GONE, part_names[of_pair[i]]);
		fd = openat(r->staged, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		close(fd);
	}
	return 0;
}

static int unpack(struct restore *r, const char *data_dir, bool force)
{
	struct parts parts = {.len = {0}};
	int err = archive_read_all(r->in, r->staged, &parts, r->why, sizeof(r->why));

	if (!err)
		err = parts_check(&parts, r->why, sizeof(r->why));
	if (!err && !force)
		err = spare_parts(r, data_dir, &parts);
	r->pair = parts.data[PART_CERT] != NULL;
	r->settings = parts.data[PART_SETTINGS] != NULL;
	if (!err && r->pair)
		err = mark_gone(r, &parts);
	parts_free(&parts);
	return err;
}

int restore_prepare(struct restore *r, const char *data_dir, bool force)
{
	char path[PATH_MAX];
	int err;

	if (snprintf(path, sizeof(path), "%s/" STAGED_NEW, data_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	err = store_hold(data_dir, &r->hold, r->why, sizeof(r->why));
	if (!err && !force)
		err = spare(r, data_dir, STORE_FILE);
	if (!err) {
		r->staged = staged_begin(store_hold_fd(r->hold));
		err = r->staged < 0 ? r->staged : 0;
	}
	if (!err)
		err = r->full ? unpack(r, data_dir, force) : copy_plain(r);
	if (!err)
		err = store_hold_prepare(r->hold, path, r->why, sizeof(r->why));
	if (err && !r->why[0])
		snprintf(r->why, sizeof(r->why), "%s", strerror(-err));
	return err;
}

int restore_commit(struct restore *r)
{
	int dir = store_hold_fd(r->hold), err = staged_commit(dir, r->staged);

	if (!err)
		return 0;
	snprintf(r->why, sizeof(r->why), "cannot put the restored files in place: %s%s",
		 strerror(-err),
		 staged_is_ready(dir)
			 ? "; the next start of the server, or the next command, goes on with it"
			 : "");
	return err;
}

void restore_end(struct restore *r)
{
	if (r->in >= 0)
		close(r->in);
	if (r->staged >= 0) {
		close(r->staged);
		staged_drop(store_hold_fd(r->hold));
	}
	store_hold_end(r->hold);
}
