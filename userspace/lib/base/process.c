// SPDX-License-Identifier: MIT
/* What a daemon sets up before anything else: its first descriptors and its signals. */
#include "lib/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t ours(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	return set;
}

void process_begin(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* open() takes the lowest free number: the loop ends behind stderr. */
	for (int fd = 0; fd <= STDERR_FILENO;)
		if (fcntl(fd, F_GETFD) >= 0 || open("/dev/null", O_RDWR) == fd)
			fd++;
		else
			break;
}

void process_hold_signals(void)
{
	const sigset_t set = ours();

	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void process_take_signals(void)
{
	const sigset_t set = ours();

	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int process_signal_fd(void)
{
	const sigset_t set = ours();
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}
