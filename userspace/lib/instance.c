// SPDX-License-Identifier: MIT
/* What keeps two edges on one host apart: a lock and a socket for each instance. */
#include "lib/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool instance_name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n <= 32 && !name[n];
}

static void run_path(const char *instance, const char *ending, char *path, size_t size)
{
	snprintf(path, size, INSTANCE_RUN_DIR "/client%s%s.%s", *instance ? "-" : "", instance,
		 ending);
}

void instance_socket(const char *instance, char *path, size_t size)
{
	run_path(instance, "sock", path, size);
}

int instance_lock(const char *instance, pid_t *holder)
{
	char path[128], text[16] = "";
	int fd, n;

	*holder = 0;
	if (mkdir(INSTANCE_RUN_DIR, 0750) < 0 && errno != EEXIST)
		return -errno;
	run_path(instance, "lock", path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		n = errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (read(fd, text, sizeof(text) - 1) > 0)
			*holder = atoi(text);
		close(fd);
		return n;
	}
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	/* The pid is for people; the lock holds without it. */
	if (ftruncate(fd, 0) < 0 || write(fd, text, (size_t)n) < 0)
		return fd;
	return fd;
}

pid_t instance_holder(const char *instance)
{
	char path[128], text[16] = "";
	pid_t pid = 0;
	int fd, err;

	run_path(instance, "lock", path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	/* Shared, so that two who ask do not take each other for a holder. */
	err = flock(fd, LOCK_SH | LOCK_NB) < 0 ? errno : 0;
	if (err == EWOULDBLOCK) {
		if (read(fd, text, sizeof(text) - 1) > 0)
			pid = atoi(text);
		err = pid > 0 ? 0 : ESRCH;
	}
	close(fd);
	return err ? -err : pid;
}
