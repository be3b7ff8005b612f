// SPDX-License-Identifier: MIT
/* One instance's directory of pins: made, locked, emptied. */
#include "edge/account/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/account.h"
#include "edge/account/bpffs.h"
#include "edge/account/unpin.h"

int account_pins_init(struct account_pins *p, const char *bpffs, const char *instance)
{
	memset(p, 0, sizeof(*p));
	p->lock_fd = -1;
	snprintf(p->instance, sizeof(p->instance), "%s", instance);
	if (snprintf(p->bpffs, sizeof(p->bpffs), "%s", bpffs) >= (int)sizeof(p->bpffs))
		return -ENAMETOOLONG;
	return account_pin_dir(p->dir, sizeof(p->dir), p->bpffs, ACCOUNT_ABI, p->instance);
}

/* 0700: whoever can open the directory can lock it. */
static int make_dirs(const struct account_pins *p)
{
	char parent[ACCOUNT_PATH_MAX + 16];
	int root = account_bpffs_open(p->bpffs);

	if (root < 0)
		return root == -ENOENT ? -EINVAL : root;
	close(root);
	snprintf(parent, sizeof(parent), "%s/portunus", p->bpffs);
	if ((mkdir(parent, 0755) && errno != EEXIST) || (mkdir(p->dir, 0700) && errno != EEXIST))
		return -errno;
	return 0;
}

/* For people; the lock holds without it. A process of another container is known by its host name. */
static void write_holder(int dir_fd)
{
	char host[64] = "", text[ACCOUNT_HOLDER_MAX];

	gethostname(host, sizeof(host) - 1);
	snprintf(text, sizeof(text), "pid %d on host %s", (int)getpid(), host);
	unlinkat(dir_fd, ACCOUNT_PIN_HOLDER, 0);
	if (symlinkat(text, dir_fd, ACCOUNT_PIN_HOLDER))
		return;
}

static void read_holder(int dir_fd, char *buf, size_t size)
{
	ssize_t n = readlinkat(dir_fd, ACCOUNT_PIN_HOLDER, buf, size - 1);

	if (n > 0)
		buf[n] = '\0';
	else
		snprintf(buf, size, "another process");
}

static int lock_dir(int fd, char *holder, size_t size)
{
	int err;

	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	err = errno;
	if (err != EWOULDBLOCK)
		return -err;
	read_holder(fd, holder, size);
	return -EBUSY;
}

int account_pins_open(struct account_pins *p)
{
	struct stat locked, there;
	int rc, fd;

	/* Again when somebody has removed the directory between its opening and its locking. */
	for (;;) {
		rc = make_dirs(p);
		if (rc)
			return rc;
		fd = account_pin_dir_open(p->bpffs, ACCOUNT_ABI, p->instance);
		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fd;
		rc = lock_dir(fd, p->holder, sizeof(p->holder));
		if (rc) {
			close(fd);
			return rc;
		}
		if (!fstat(fd, &locked) && !stat(p->dir, &there) && locked.st_ino == there.st_ino)
			break;
		close(fd);
	}
	fchmod(fd, 0700);
	write_holder(fd);
	p->lock_fd = fd;
	return 0;
}

void account_pins_close(struct account_pins *p)
{
	if (p->lock_fd < 0)
		return;
	unlinkat(p->lock_fd, ACCOUNT_PIN_HOLDER, 0);
	close(p->lock_fd);
	p->lock_fd = -1;
}

void account_pins_remove(const struct account_pins *p)
{
	int removed = 0;

	account_pin_dir_remove(p->bpffs, ACCOUNT_ABI, p->instance, &removed);
	account_bpffs_tidy(p->bpffs);
}

void account_pins_tidy(const struct account_pins *p)
{
	if (p->lock_fd >= 0)
		unlinkat(p->lock_fd, ACCOUNT_PIN_HOLDER, 0);
	rmdir(p->dir);
}

int account_pins_unlink(const struct account_pins *p, const char *name)
{
	return unlinkat(p->lock_fd, name, 0) ? -errno : 0;
}

int account_unpin(const char *bpffs, const char *instance, char *holder, size_t size)
{
	int removed = 0, rc, fd;

	for (int v = 1; v <= ACCOUNT_ABI; v++) {
		fd = account_pin_dir_open(bpffs, v, instance);
		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fd;
		/* Held meanwhile, so that none starts in between. */
		rc = holder ? lock_dir(fd, holder, size) : 0;
		if (!rc)
			rc = account_pin_dir_remove(bpffs, v, instance, &removed);
		close(fd);
		if (rc)
			return rc;
	}
	account_bpffs_tidy(bpffs);
	return removed;
}
