/* SPDX-License-Identifier: MIT */
/* The edge's own cgroup, and the link that puts the program on it. */
#ifndef PORTUNUS_EDGE_ACCOUNT_CGROUP_H
#define PORTUNUS_EDGE_ACCOUNT_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

struct account_pins;

/* The name of this process's cgroup, as /proc/self/cgroup has it. 0 or -errno (-ENOENT: no cgroup v2). */
int account_own_cgroup(char *buf, size_t size);
/*
 * Puts the program on the cgroup, or into the link that is pinned already; one of another cgroup is
 * set aside, for its sockets are still being counted. *opened says whether the cgroup's directory
 * could be opened. Returns the link's fd or -errno (-ENOENT: no cgroup v2 is mounted).
 */
int account_attach_cgroup(const struct account_pins *pins, int prog_fd, const char *own,
			  bool *opened);

#endif
