/* SPDX-License-Identifier: MIT */
/* What a file is, by its first bytes. */
#ifndef PORTUNUS_SERVER_BACKUP_MAGIC_H
#define PORTUNUS_SERVER_BACKUP_MAGIC_H

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static inline bool magic_at(int fd, const char *magic, size_t n, off_t at)
{
	char there[16];

	return n <= sizeof(there) && pread(fd, there, n, at) == (ssize_t)n &&
	       !memcmp(there, magic, n);
}

/* The terminator of the text belongs to it (sqlite.org/fileformat.html, 1.3). */
static inline bool magic_is_sqlite(int fd)
{
	return magic_at(fd, "SQLite format 3", 16, 0);
}

/* POSIX's and GNU's. */
static inline bool magic_is_tar(int fd)
{
	return magic_at(fd, "ustar", 5, 257);
}

#endif
