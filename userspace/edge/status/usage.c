// SPDX-License-Identifier: MIT
/* Descriptors and memory of this process. */
#include "edge/status/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Since Linux 6.2 the size of /proc/self/fd is the number of open fds; before that they are counted. */
uint64_t usage_open_fds(void)
{
	struct stat st;
	uint64_t n = 0;
	DIR *d;

	if (!stat("/proc/self/fd", &st) && st.st_size > 0)
		return (uint64_t)st.st_size;
	d = opendir("/proc/self/fd");
	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n > 3 ? n - 3 : 0; /* ".", ".." and the directory's own */
}

uint64_t usage_rss_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t usage_fd_limit(void)
{
	struct rlimit lim = {0};

	getrlimit(RLIMIT_NOFILE, &lim);
	return lim.rlim_cur;
}
