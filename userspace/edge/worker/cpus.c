// SPDX-License-Identifier: MIT
/* How many CPUs there are for this process: affinity (taskset, cpuset) and quota (cpu.max). */
#include "edge/worker/cpus.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A mask larger than cpu_set_t's 1,024 CPUs makes the kernel say EINVAL. */
static unsigned cpus_of_affinity(void)
{
	for (int cpus = CPU_SETSIZE; cpus <= 64 * CPU_SETSIZE; cpus *= 4) {
		cpu_set_t *set = CPU_ALLOC(cpus);
		size_t size = CPU_ALLOC_SIZE(cpus);
		int n = 0, err;

		if (!set)
			break;
		err = sched_getaffinity(0, size, set) < 0 ? errno : 0;
		if (!err)
			n = CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (n > 0)
			return (unsigned)n;
		if (err != EINVAL)
			break;
	}
	return sysconf(_SC_NPROCESSORS_ONLN) > 0 ? (unsigned)sysconf(_SC_NPROCESSORS_ONLN) : 1;
}

/* cpu.max is "max PERIOD" or "QUOTA PERIOD", in microseconds (Documentation/admin-guide/cgroup-v2.rst
 * of Linux). The root has no such file. */
static unsigned quota_at(const char *dir)
{
	unsigned long long quota, period;
	char file[4200];
	unsigned n = 0;
	FILE *f;

	snprintf(file, sizeof(file), "%s/cpu.max", dir);
	f = fopen(file, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu %llu", &quota, &period) == 2 && quota && period)
		n = (unsigned)((quota + period - 1) / period);
	fclose(f);
	return n;
}

unsigned cpus_of_quota(const char *root, const char *path)
{
	unsigned least = 0;
	char dir[4096];
	size_t floor;

	floor = strlen(root);
	if ((size_t)snprintf(dir, sizeof(dir), "%s%s", root, path) >= sizeof(dir))
		return 0;
	for (;;) {
		unsigned n = quota_at(dir);
		char *slash;

		if (n && (!least || n < least))
			least = n;
		slash = strlen(dir) > floor ? strrchr(dir + floor, '/') : NULL;
		if (!slash)
			return least;
		*slash = '\0';
	}
}

/* The path of this process in cgroup v2: the line "0::PATH". */
static int own_cgroup(char *path, size_t size)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096];
	int rc = -1;

	if (!f)
		return -1;
	while (rc && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "0::/", 4))
			continue;
		line[strcspn(line, "\n")] = '\0';
		rc = snprintf(path, size, "%s", line + 3) < (int)size ? 0 : -1;
	}
	fclose(f);
	return rc;
}

unsigned cpus_allowed(void)
{
	static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	unsigned n = cpus_of_affinity();
	char path[4096];

	if (own_cgroup(path, sizeof(path)))
		return n;
	for (unsigned i = 0; i < 2; i++) {
		unsigned quota = cpus_of_quota(roots[i], path);

		if (quota && quota < n)
			n = quota;
	}
	return n;
}
