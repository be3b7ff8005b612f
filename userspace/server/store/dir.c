// SPDX-License-Identifier: MIT
/* The data directory: where it may lie, who may see it, one process at a time. */
#include "server/store/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/atomic_file.h"
#include "server/store/inner.h"
#include "server/store/staged.h"

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
	int err;

	if (!mkdir(path, 0700) || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return -errno;
	err = file_make_parents(path, 0755);
	if (!err && mkdir(path, 0700) && errno != EEXIST)
		err = -errno;
	return err;
}

int dir_open(const char *path, char *why, size_t why_size)
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

int dir_hold(int dir, const char *path, char *why, size_t why_size)
{
	int fd = take_lock(dir, path, why, why_size), err;

	if (fd < 0)
		return fd;
	err = staged_finish(dir);
	if (!err)
		return fd;
	snprintf(why, why_size, "cannot finish the restore that was broken off in %s: %s", path,
		 strerror(-err));
	close(fd);
	return err;
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
