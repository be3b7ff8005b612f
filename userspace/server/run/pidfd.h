/* SPDX-License-Identifier: MIT */
/* Processes by file descriptor, for libraries that lack the calls. */
#ifndef PORTUNUS_SERVER_RUN_PIDFD_H
#define PORTUNUS_SERVER_RUN_PIDFD_H

#include <errno.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* Linux 5.3 and later. By number: glibc has had names for these since 2.36 only. */

/* Becomes readable when the process ends. Close-on-exec. Returns the descriptor or -errno. */
static inline int pidfd_of(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

/* Never reaches a later process of the same number. */
static inline int pidfd_signal(int fd, int sig)
{
	return syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) < 0 ? -errno : 0;
}

#endif
