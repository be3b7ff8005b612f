// SPDX-License-Identifier: MIT
/* What keeps two edges on one host apart: a lock and a socket for each instance. */
#include "lib/base/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_DIR "/run/portunus"

bool instance_name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n <= 32 && !name[n];
}

int instance_run_dir(const char *option, char dir[INSTANCE_DIR_MAX])
{
	const char *unit = getenv("RUNTIME_DIRECTORY"), *user = getenv("XDG_RUNTIME_DIR");
	int n;

	if (option)
		n = snprintf(dir, INSTANCE_DIR_MAX, "%s", option);
	else if (unit && *unit == '/') /* a list, where the unit names several */
		n = snprintf(dir, INSTANCE_DIR_MAX, "%.*s", (int)strcspn(unit, ":"), unit);
	else if (geteuid() && user && *user == '/')
		n = snprintf(dir, INSTANCE_DIR_MAX, "%s/portunus", user);
	else
		n = snprintf(dir, INSTANCE_DIR_MAX, "%s", SYSTEM_DIR);
	return n < 0 || n >= INSTANCE_DIR_MAX ? -ENAMETOOLONG : 0;
}

static void run_path(const char *dir, const char *instance, const char *ending, char *path,
		     size_t size)
{
	snprintf(path, size, "%s/client%s%s.%s", dir, *instance ? "-" : "", instance, ending);
}

void instance_socket(const char *dir, const char *instance, char *path, size_t size)
{
	run_path(dir, instance, "sock", path, size);
}

int instance_lock(const char *dir, const char *instance, pid_t *holder)
{
	char path[INSTANCE_DIR_MAX + 64], text[16] = "";
	int fd, n;

	*holder = 0;
	if (mkdir(dir, 0750) < 0 && errno != EEXIST)
		return -errno;
	run_path(dir, instance, "lock", path, sizeof(path));
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

pid_t instance_holder(const char *dir, const char *instance)
{
	char path[INSTANCE_DIR_MAX + 64], text[16] = "";
	pid_t pid = 0;
	int fd, err;

	run_path(dir, instance, "lock", path, sizeof(path));
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

int instance_find_socket(const char *option, const char *instance, char *path, size_t size)
{
	char dir[INSTANCE_DIR_MAX], system[INSTANCE_DIR_MAX + 64];
	int err = instance_run_dir(option, dir);

	if (err)
		return err;
	instance_socket(dir, instance, path, size);
	instance_socket(SYSTEM_DIR, instance, system, sizeof(system));
	if (!option && access(path, F_OK) && !access(system, F_OK))
		snprintf(path, size, "%s", system);
	return 0;
}
