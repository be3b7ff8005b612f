/* SPDX-License-Identifier: MIT */
/* Small files that have to be there whole: read at once, replaced at once. */
#ifndef PORTUNUS_LIB_BASE_ATOMIC_FILE_H
#define PORTUNUS_LIB_BASE_ATOMIC_FILE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Replaces @path by a file with this content and mode: written beside it under another name, synced,
 * renamed, and the directory synced. A reader or a power failure finds the old or the new file whole.
 * Returns 0 or -errno; on error the old file is untouched. Any thread.
 */
int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode);

/* Writes all of it. 0 or -errno. */
int file_write_all(int fd, const void *from, size_t len);

/* Syncs the directory of @path: a rename lasts only once it is on the disk. 0 or -errno. */
int file_sync_parent(const char *path);

/* Makes every missing directory above @path. Returns 0 or -errno. */
int file_make_parents(const char *path, mode_t mode);

/*
 * Whether file_write_atomic() could write @path now: tries to make a file beside it, and missing directories
 * above it. Returns 0 or -errno.
 */
int file_check_place(const char *path);

/* Reads a whole file, and a terminator behind it; *@out is the caller's to free. Returns 0, -EFBIG
 * above @max bytes, or -errno. */
int file_read(const char *path, size_t max, char **out, size_t *len);

#endif
