// SPDX-License-Identifier: MIT
/* Reads the CPU time of some processes and of the whole machine. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "selftests/bench/load.h"

int cpu_online(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/*
 * The first number of schedstat is the thread's run time in nanoseconds; utime and stime count in
 * ticks. Without IRQ time accounting, softirq work done in the thread's context is part of both.
 */
static uint64_t process_ns(pid_t pid)
{
	char path[64], file[384];
	uint64_t sum = 0;
	struct dirent *e;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return 0;
	while ((e = readdir(tasks))) {
		unsigned long long ran;
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s/schedstat", path, e->d_name);
		f = fopen(file, "r");
		if (!f)
			continue;
		if (fscanf(f, "%llu", &ran) == 1)
			sum += ran;
		fclose(f);
	}
	closedir(tasks);
	return sum;
}

/* Busy time is what is left: the kernel measures idle time, the other columns it samples by tick. */
static int machine_idle(uint64_t *ns)
{
	unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
	FILE *f = fopen("/proc/stat", "r");
	int n;

	if (!f)
		return -errno;
	n = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
		   &iowait, &irq, &softirq, &steal);
	fclose(f);
	if (n != 8)
		return -EINVAL;
	*ns = (idle + iowait + steal) * (NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	return 0;
}

int cpu_read(struct cpu_mark *m, const pid_t *pids, int n_pids)
{
	int err = machine_idle(&m->idle_ns);

	m->proxy_ns = 0;
	for (int i = 0; i < n_pids; i++)
		m->proxy_ns += process_ns(pids[i]);
	m->wall_ns = clock_mono_ns();
	return err;
}
