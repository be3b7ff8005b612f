// SPDX-License-Identifier: MIT
/* Directories below a BPF file system: opened without following symbolic links, read, removed. */
#include "edge/account/bpffs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define OPEN_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

static int dir_name(char *buf, size_t size, int version, const char *instance)
{
	int n = snprintf(buf, size, "v%d%s%s", version, *instance ? "-" : "", instance);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int account_pin_dir(char *buf, size_t size, const char *bpffs, int version, const char *instance)
{
	char name[64];
	int n;

	if (dir_name(name, sizeof(name), version, instance))
		return -ENAMETOOLONG;
	n = snprintf(buf, size, "%s/portunus/%s", bpffs, name);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static bool is_bpffs(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

int account_bpffs_open(const char *bpffs)
{
	int fd = open(bpffs, OPEN_FLAGS);

	if (fd < 0)
		return -errno;
	if (is_bpffs(fd))
		return fd;
	close(fd);
	return -EINVAL;
}

/* A directory of @parent, which is no symbolic link and of the same kind of file system; or -errno.
 * Closes @parent. */
static int descend(int parent, const char *name)
{
	int fd = openat(parent, name, OPEN_FLAGS | O_NOFOLLOW), err = errno;

	close(parent);
	if (fd < 0)
		return err == ELOOP || err == ENOTDIR ? -EINVAL : -err;
	if (is_bpffs(fd))
		return fd;
	close(fd);
	return -EINVAL;
}

static int open_parent(const char *bpffs)
{
	int root = account_bpffs_open(bpffs);

	return root < 0 ? root : descend(root, "portunus");
}

int account_pin_dir_open(const char *bpffs, int version, const char *instance)
{
	int parent = open_parent(bpffs);
	char name[64];

	if (parent < 0)
		return parent;
	if (!dir_name(name, sizeof(name), version, instance))
		return descend(parent, name);
	close(parent);
	return -ENAMETOOLONG;
}

int account_pin_dir_each(int fd, int (*visit)(int dir_fd, const char *name, void *arg), void *arg)
{
	int own = openat(fd, ".", OPEN_FLAGS), rc = 0;
	DIR *d = own < 0 ? NULL : fdopendir(own);
	struct dirent *e;

	if (!d) {
		rc = -errno;
		if (own >= 0)
			close(own);
		return rc;
	}
	while (rc >= 0 && (e = readdir(d)))
		if (e->d_name[0] != '.')
			rc = visit(fd, e->d_name, arg);
	closedir(d);
	return rc < 0 ? rc : 0;
}

static int remove_pin(int dir_fd, const char *name, void *arg)
{
	int *removed = arg;

	if (unlinkat(dir_fd, name, 0))
		return -errno;
	*removed += strcmp(name, ACCOUNT_PIN_HOLDER) != 0;
	return 0;
}

int account_pin_dir_remove(const char *bpffs, int version, const char *instance, int *removed)
{
	int parent = open_parent(bpffs), fd, rc;
	char name[64];

	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	rc = dir_name(name, sizeof(name), version, instance);
	fd = rc ? rc : descend(dup(parent), name);
	if (fd < 0) {
		close(parent);
		return fd == -ENOENT ? 0 : fd;
	}
	rc = account_pin_dir_each(fd, remove_pin, removed);
	if (!rc && unlinkat(parent, name, AT_REMOVEDIR))
		rc = -errno;
	close(fd);
	close(parent);
	return rc;
}

void account_bpffs_tidy(const char *bpffs)
{
	char parent[ACCOUNT_PATH_MAX + 16];

	snprintf(parent, sizeof(parent), "%s/portunus", bpffs);
	rmdir(parent);
}
