/* SPDX-License-Identifier: MIT */
/* The system calls that the edge may make: a seccomp filter made from a list of names. */
#ifndef PORTUNUS_EDGE_SANDBOX_SYSCALLS_H
#define PORTUNUS_EDGE_SANDBOX_SYSCALLS_H

#include <stdbool.h>

/*
 * Allows this thread, and those that it starts, the system calls that the edge uses; others fail with
 * EPERM, or with @kill end the process (for tests). Needs no_new_privs or CAP_SYS_ADMIN. 0 or -errno.
 */
int syscalls_limit(bool kill);

#endif
