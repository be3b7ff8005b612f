// SPDX-License-Identifier: MIT
/*
 * LD_PRELOAD: the process is killed just before the DIE_AT'th of its calls that change what is on a disk, as by a
 * loss of power; 0 or unset: never.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void count(void)
{
	static long at = -1, seen;
	const char *text = getenv("DIE_AT");

	if (at < 0)
		at = text ? atol(text) : 0;
	if (++seen == at)
		kill(getpid(), SIGKILL);
}

int fsync(int fd)
{
	count();
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	count();
	return (int)syscall(SYS_fdatasync, fd);
}

int unlink(const char *path)
{
	count();
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int unlinkat(int dir, const char *path, int flags)
{
	count();
	return (int)syscall(SYS_unlinkat, dir, path, flags);
}

int rename(const char *from, const char *to)
{
	count();
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	count();
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)
{
	count();
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	count();
	return (int)syscall(SYS_mkdirat, dir, path, mode);
}

ssize_t write(int fd, const void *data, size_t n)
{
	/* Not what is said to people. */
	if (fd > 2)
		count();
	return syscall(SYS_write, fd, data, n);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off_t at)
{
	count();
	return syscall(SYS_pwrite64, fd, data, n, at);
}
