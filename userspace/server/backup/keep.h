/* SPDX-License-Identifier: MIT */
/* A directory of backups: how they are called, and which stay. */
#ifndef PORTUNUS_SERVER_BACKUP_KEEP_H
#define PORTUNUS_SERVER_BACKUP_KEEP_H

#include <stdbool.h>
#include <stddef.h>

/* BACKUP_NAME, the time in UTC, and the ending of the kind: names sort as their times. */
#define BACKUP_NAME  "portunus-state-"
#define BACKUP_TIME  "%Y%m%dT%H%M%SZ"
#define BACKUP_PLAIN ".db"
#define BACKUP_FULL  ".tar"

/* Removes all but the newest @keep of the kind. Other files stay. 0, or -EIO with @why. */
int backup_keep(const char *dir, bool full, unsigned keep, char *why, size_t why_size);

#endif
