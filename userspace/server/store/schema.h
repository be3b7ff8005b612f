/* SPDX-License-Identifier: MIT */
/* The tables, as a list of migrations. */
#ifndef PORTUNUS_SERVER_STORE_SCHEMA_H
#define PORTUNUS_SERVER_STORE_SCHEMA_H

#include "server/store/db.h"

/* Which one the database has; 0: an empty one, or none of ours. Or a negative errno. */
int schema_version(struct db *d);
/*
 * Brings an empty or older file up to STORE_SCHEMA_VERSION; -EPROTO for a newer one. @from gets the
 * version that was found.
 */
int schema_migrate(struct db *d, int *from, char *why, size_t why_size);

#endif
