// SPDX-License-Identifier: MIT
/* A directory of backups: how they are called, and which stay. */
#include "server/backup/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A digit where the pattern has one, else the same. Only what backup itself would have named so is removed. */
static bool is_backup(const char *name, const char *ending)
{
	const char *pattern = "dddddddd"
			      "T"
			      "dddddd"
			      "Z";

	if (strncmp(name, BACKUP_NAME, strlen(BACKUP_NAME)))
		return false;
	name += strlen(BACKUP_NAME);
	for (; *pattern; pattern++, name++)
		if (*pattern == 'd' ? *name < '0' || *name > '9' : *name != *pattern)
			return false;
	return !strcmp(name, ending);
}

static int is_plain(const struct dirent *e)
{
	return is_backup(e->d_name, BACKUP_PLAIN);
}

static int is_full(const struct dirent *e)
{
	return is_backup(e->d_name, BACKUP_FULL);
}

/* Of capitals and digits, so that the order of bytes is the order in time. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int backup_keep(const char *dir, bool full, unsigned keep, char *why, size_t why_size)
{
	struct dirent **names = NULL;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int n = fd < 0 ? -1 : scandirat(fd, ".", &names, full ? is_full : is_plain, by_name);
	int err = n < 0 ? -errno : 0;

	for (int i = 0; i < n; i++) {
		if ((unsigned)(n - i) > keep && !err && unlinkat(fd, names[i]->d_name, 0))
			err = -errno;
		free(names[i]);
	}
	free(names);
	if (fd >= 0)
		close(fd);
	if (!err)
		return 0;
	snprintf(why, why_size, "the backup is there, but older ones in %s cannot be removed: %s",
		 dir, strerror(-err));
	return -EIO;
}
