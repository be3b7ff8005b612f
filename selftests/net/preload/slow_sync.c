// SPDX-License-Identifier: MIT
/*
 * LD_PRELOAD: a disk on which fsync() and fdatasync() take SLOW_SYNC_MS, as on a full or a broken one.
 * With SLOW_SYNC_GATE they take as long as there is a file of that name, 30 s at most; meanwhile there is
 * one with ".held" behind it.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define GATE_TRIES 6000
#define GATE_NS	   5000000

static void wait_ns(long s, long ns)
{
	const struct timespec wait = {.tv_sec = s, .tv_nsec = ns};

	nanosleep(&wait, NULL);
}

static void pass_gate(const char *gate)
{
	char held[PATH_MAX];
	int fd;

	if (access(gate, F_OK) ||
	    snprintf(held, sizeof(held), "%s.held", gate) >= (int)sizeof(held))
		return;
	fd = open(held, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; i < GATE_TRIES && !access(gate, F_OK); i++)
		wait_ns(0, GATE_NS);
	unlink(held);
	if (fd >= 0)
		close(fd);
}

static void be_slow(void)
{
	const char *text = getenv("SLOW_SYNC_MS"), *gate = getenv("SLOW_SYNC_GATE");
	long ms = text ? atol(text) : 0;

	wait_ns(ms / 1000, ms % 1000 * 1000000);
	if (gate)
		pass_gate(gate);
}

int fsync(int fd)
{
	be_slow();
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	be_slow();
	return (int)syscall(SYS_fdatasync, fd);
}
