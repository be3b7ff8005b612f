// SPDX-License-Identifier: MIT
/* What a daemon sets up before anything else: its first descriptors and its signals. */
#include "lib/base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static void mask(int how, int a, int b, int c)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, a);
	sigaddset(&set, b);
	sigaddset(&set, c);
	sigprocmask(how, &set, NULL);
}

void process_begin(void)
{
	mask(SIG_BLOCK, SIGHUP, SIGHUP, SIGHUP);
	/* open() takes the lowest free number: the loop ends behind stderr. */
	for (int fd = 0; fd <= STDERR_FILENO;)
		if (fcntl(fd, F_GETFD) >= 0 || open("/dev/null", O_RDWR) == fd)
			fd++;
		else
			break;
}

void process_hold_signals(void)
{
	mask(SIG_BLOCK, SIGHUP, SIGTERM, SIGINT);
	signal(SIGPIPE, SIG_IGN);
}

void process_take_signals(void)
{
	mask(SIG_UNBLOCK, SIGHUP, SIGTERM, SIGINT);
}
