// SPDX-License-Identifier: MIT
/* Making a backup: a file that is there whole or not at all. */
#include "server/backup/make.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/atomic_file.h"
#include "server/backup/archive.h"
#include "server/backup/borrow.h"
#include "server/backup/keep.h"
#include "server/backup/parts.h"
#include "server/store/copy.h"

/* How often a full backup begins again because the certificate is just being changed. */
#define TRIES 5

/* What is made on the way: the copy of the store and, of a full backup, the tar. "" for none. */
struct making {
	const struct backup_order *order;
	backup_pair pair;
	char copy[PATH_MAX], tar[PATH_MAX];
	struct parts parts;
	char *why;
	size_t why_size;
};

/* ---- names ---- */

static int choose_path(const struct backup_order *order, char path[PATH_MAX], bool *in_dir)
{
	char when[32];
	time_t now = time(NULL);
	struct stat st;
	struct tm tm;
	int n;

	*in_dir = !stat(order->out, &st) && S_ISDIR(st.st_mode);
	if (!*in_dir) {
		n = snprintf(path, PATH_MAX, "%s", order->out);
		return n >= PATH_MAX ? -ENAMETOOLONG : 0;
	}
	n = (int)strlen(order->out);
	while (n > 1 && order->out[n - 1] == '/')
		n--;
	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), BACKUP_TIME, &tm);
	n = snprintf(path, PATH_MAX, "%.*s/" BACKUP_NAME "%s%s", n, order->out, when,
		     order->full ? BACKUP_FULL : BACKUP_PLAIN);
	return n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* A file beside @path, for nobody else. Its descriptor, or -errno. */
static int make_temp(const char *path, char temp[PATH_MAX], char *why, size_t why_size)
{
	int fd, err;

	if (snprintf(temp, PATH_MAX, "%s.XXXXXX", path) >= PATH_MAX) {
		temp[0] = '\0';
		return -ENAMETOOLONG;
	}
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd >= 0)
		return fd;
	err = -errno;
	temp[0] = '\0';
	snprintf(why, why_size, "cannot make %s: %s", path, strerror(-err));
	/* Not that of a store that is missing, or of a file that is there. */
	return err == -ENOENT || err == -EEXIST ? -EIO : err;
}

/* ---- contents ---- */

static int read_parts(struct making *m)
{
	const char *data_dir = m->order->data_dir;
	char cert[PATH_MAX], key[PATH_MAX];
	int err = m->pair(data_dir, cert, key, m->why, m->why_size);

	if (!err)
		err = parts_read(&m->parts, data_dir, cert, key, m->why, m->why_size);
	return err == -ENOENT ? -EIO : err;
}

/* One moment of the store; of a full backup with the files of the same moment. */
static int open_all(struct making *m, struct store_snapshot **snapshot)
{
	struct parts before;
	struct borrow b;
	int err = borrow_begin(&b, m->order->data_dir);

	if (err)
		return err;
	err = m->order->full ? read_parts(m) : 0;
	before = m->parts;
	m->parts = (struct parts){.len = {0}};
	if (!err)
		err = store_snapshot_open(m->order->data_dir, snapshot, m->why, m->why_size);
	if (!err && m->order->full)
		err = read_parts(m);
	if (!err && m->order->full && !parts_equal(&before, &m->parts))
		err = -EAGAIN;
	parts_free(&before);
	borrow_end(&b);
	return err;
}

static int open_unchanging(struct making *m, struct store_snapshot **snapshot)
{
	const struct timespec wait = {.tv_nsec = 200 * 1000 * 1000};
	int err = -EAGAIN;

	for (int i = 0; i < TRIES && err == -EAGAIN; i++) {
		if (i)
			nanosleep(&wait, NULL);
		store_snapshot_close(*snapshot);
		*snapshot = NULL;
		parts_free(&m->parts);
		err = open_all(m, snapshot);
	}
	if (err == -EAGAIN)
		snprintf(m->why, m->why_size,
			 "the certificate or server.toml is being changed; try again");
	if (!err)
		err = parts_check(&m->parts, m->why, m->why_size);
	return err;
}

static int sync_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0 || fsync(fd))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* The finished file under its name, where there is none yet. */
static int give_name(const char *temp, const char *path)
{
	int err = sync_file(temp);

	if (err)
		return err;
	if (!renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE))
		return file_sync_parent(path);
	/* EINVAL: a file system without it. */
	if (errno != EINVAL)
		return -errno;
	if (!access(path, F_OK))
		return -EEXIST;
	return rename(temp, path) ? -errno : file_sync_parent(path);
}

static int write_tar(struct making *m, const char *path)
{
	int fd = make_temp(path, m->tar, m->why, m->why_size), err;

	if (fd < 0)
		return fd;
	err = archive_write_all(fd, &m->parts, m->copy, m->why, m->why_size);
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static int fill(struct making *m, const char *path)
{
	struct store_snapshot *snapshot = NULL;
	int err = open_unchanging(m, &snapshot), fd = -1;

	if (!err) {
		fd = make_temp(path, m->copy, m->why, m->why_size);
		err = fd < 0 ? fd : 0;
	}
	if (!err) {
		close(fd);
		err = store_snapshot_copy(snapshot, m->copy, m->why, m->why_size);
	}
	store_snapshot_close(snapshot);
	if (!err && m->order->full)
		err = write_tar(m, path);
	if (err)
		return err;
	err = give_name(m->order->full ? m->tar : m->copy, path);
	if (!err)
		*(m->order->full ? m->tar : m->copy) = '\0';
	/* Only backup_make() says that of what was asked for. */
	return err == -EINVAL ? -EIO : err;
}

int backup_make(const struct backup_order *order, backup_pair pair, char path[PATH_MAX], char *why,
		size_t why_size)
{
	struct making *m = calloc(1, sizeof(*m));
	struct stat st;
	bool in_dir;
	int err = m ? choose_path(order, path, &in_dir) : -ENOMEM;

	why[0] = '\0';
	if (err)
		goto out;
	*m = (struct making){.order = order, .pair = pair, .why = why, .why_size = why_size};
	if (order->keep && !in_dir)
		err = -EINVAL;
	else if (!lstat(path, &st))
		err = -EEXIST;
	else
		err = fill(m, path);
	parts_free(&m->parts);
	if (m->copy[0])
		unlink(m->copy);
	if (m->tar[0])
		unlink(m->tar);
	if (!err && order->keep)
		err = backup_keep(order->out, order->full, order->keep, why, why_size);
out:
	free(m);
	if (err && !why[0])
		snprintf(why, why_size, "%s", strerror(-err));
	return err;
}
