// SPDX-License-Identifier: MIT
/* The system calls that the edge may make: a seccomp filter made from a list of names. */
#include "edge/sandbox/syscalls.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/socket.h>

/*
 * What the edge and its libraries use, by subject; some names exist on some machines only. Neither
 * programs nor processes are started, nothing is mounted, traced, loaded into the kernel (but BPF) or
 * given to another user.
 */
static const char *const allowed[] = {
	/* Bytes. */
	"read",
	"write",
	"readv",
	"writev",
	"pread64",
	"pwrite64",
	"splice",
	"tee",
	"sendfile",
	"close",
	"close_range",
	"dup",
	"dup2",
	"dup3",
	"fcntl",
	"ioctl",
	"lseek",
	"pipe",
	"pipe2",
	/* Waiting. */
	"poll",
	"ppoll",
	"select",
	"pselect6",
	"epoll_create",
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"eventfd",
	"eventfd2",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_gettime",
	"signalfd4",
	/* Sockets, but socket() itself: see below. */
	"bind",
	"listen",
	"accept",
	"accept4",
	"connect",
	"getsockname",
	"getpeername",
	"sendto",
	"recvfrom",
	"sendmsg",
	"recvmsg",
	"sendmmsg",
	"recvmmsg",
	"shutdown",
	"setsockopt",
	"getsockopt",
	"socketpair",
	/* Files. */
	"open",
	"openat",
	"openat2",
	"creat",
	"stat",
	"fstat",
	"lstat",
	"newfstatat",
	"statx",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"symlink",
	"symlinkat",
	"getdents",
	"getdents64",
	"mkdir",
	"mkdirat",
	"unlink",
	"unlinkat",
	"rmdir",
	"rename",
	"renameat",
	"renameat2",
	"fsync",
	"fdatasync",
	"ftruncate",
	"fallocate",
	"fchmod",
	"fchmodat",
	"chmod",
	"flock",
	"umask",
	"statfs",
	"fstatfs",
	"getcwd",
	"fadvise64",
	/* Memory. */
	"mmap",
	"mprotect",
	"munmap",
	"mremap",
	"madvise",
	"mincore",
	"brk",
	"mlock",
	"mlock2",
	"munlock",
	"membarrier",
	"memfd_create",
	/* Threads and the end. */
	"clone",
	"clone3",
	"futex",
	"set_robust_list",
	"get_robust_list",
	"rseq",
	"set_tid_address",
	"arch_prctl",
	"prctl",
	"exit",
	"exit_group",
	"sched_yield",
	"sched_getaffinity",
	"sched_setaffinity",
	"sched_getparam",
	"sched_getscheduler",
	"gettid",
	"getpid",
	"getppid",
	"getpgrp",
	"getcpu",
	"tgkill",
	"kill",
	"restart_syscall",
	/* Signals. */
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigtimedwait",
	"rt_sigpending",
	"rt_sigsuspend",
	"sigaltstack",
	"pause",
	/* Time. */
	"clock_gettime",
	"clock_getres",
	"clock_nanosleep",
	"nanosleep",
	"gettimeofday",
	"time",
	"times",
	/* Who and where we are, and what we may use. */
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getresuid",
	"getresgid",
	"getgroups",
	"capget",
	"capset",
	"prlimit64",
	"getrlimit",
	"setrlimit",
	"getrusage",
	"uname",
	"sysinfo",
	"getrandom",
	/* Counting in the kernel. */
	"bpf",
	"perf_event_open",
};

static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

static int add_rules(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		int number = seccomp_syscall_resolve_name(allowed[i]);
		int err;

		/* Below zero: not of this machine's. */
		if (number < 0)
			continue;
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
		if (err)
			return err;
	}
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					   SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));

		if (err)
			return err;
	}
	/* An address family that is refused is no reason to end. */
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				SCMP_A0(SCMP_CMP_GT, (scmp_datum_t)AF_NETLINK));
}

int syscalls_limit(bool kill)
{
	scmp_filter_ctx filter = seccomp_init(kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!filter)
		return -ENOMEM;
	seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
	/* capabilities_give_up() has set no_new_privs. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	/* A filter is no reason to slow each load behind a store down: the edge runs no foreign code. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	/* A tree of comparisons in place of a chain of 150. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	err = add_rules(filter);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
