/* SPDX-License-Identifier: MIT */
/* The data directory: where it may lie, who may see it, one process at a time. */
#ifndef PORTUNUS_SERVER_STORE_DIR_H
#define PORTUNUS_SERVER_STORE_DIR_H

#include <stddef.h>

/*
 * Makes it where it is missing, and its mode 0700. The descriptor of the directory, or -errno with a sentence in
 * @why.
 */
int dir_open(const char *path, char *why, size_t why_size);

/*
 * Takes the lock of the open directory @dir, whose name is @path, and puts in place what a restore that was
 * broken off has left ready. The descriptor that holds the lock until it is closed, -EBUSY while another
 * process has it, or -errno.
 */
int dir_hold(int dir, const char *path, char *why, size_t why_size);

#endif
