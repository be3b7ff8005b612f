/* SPDX-License-Identifier: MIT */
/* How many CPUs there are for this process: affinity (taskset, cpuset) and quota (cpu.max). */
#ifndef PORTUNUS_EDGE_WORKER_CPUS_H
#define PORTUNUS_EDGE_WORKER_CPUS_H

/* How many CPUs this process may keep busy: those of its affinity mask, and no more than its cgroup's
 * quota pays for. At least 1. */
unsigned cpus_allowed(void);

/*
 * What the quotas of a cgroup and those above it pay for, rounded up; 0 where there is none. @root is
 * where the cgroup v2 hierarchy is mounted, @path the cgroup's path in it ("/a/b").
 */
unsigned cpus_of_quota(const char *root, const char *path);

#endif
