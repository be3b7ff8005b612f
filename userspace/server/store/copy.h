/* SPDX-License-Identifier: MIT */
/* A copy of the database, also while a server writes in it; and a copy that becomes the store again. */
#ifndef PORTUNUS_SERVER_STORE_COPY_H
#define PORTUNUS_SERVER_STORE_COPY_H

#include <stddef.h>

/* The file of the database, in a data directory as in an archive of it. */
#define STORE_FILE "state.db"

/*
 * What is in a store at one moment. Taken without the lock, beside a server: a reader of SQLite's log holds up
 * nobody who writes. No restore or reset begins before it is closed.
 */
struct store_snapshot;

/*
 * 0; -ENOENT where there is no store; -EBUSY while it is being replaced; or an errno of store.h. With a
 * sentence in @why.
 */
int store_snapshot_open(const char *data_dir, struct store_snapshot **out, char *why,
			size_t why_size);
/* Writes it over the file @to, which exists, as one file without a log; the copy is checked. */
int store_snapshot_copy(struct store_snapshot *s, const char *to, char *why, size_t why_size);
void store_snapshot_close(struct store_snapshot *s);

/* A data directory that is held and has no store open: what is in it may be replaced. */
struct store_hold;

/* 0; -EBUSY: a server runs on it, or a backup is being made; or an errno of store.h. */
int store_hold(const char *data_dir, struct store_hold **out, char *why, size_t why_size);
/* Of the directory. */
int store_hold_fd(const struct store_hold *h);
void store_hold_end(struct store_hold *h);

/*
 * Makes what lies in @path/STORE_FILE, a copy of some store, the one that is to come into the held directory:
 * checked, of this program's schema, of a generation of its own, and giving no rule's id again. The file of
 * ids is made beside it. 0; -EUCLEAN: it is damaged, or not ours; -EPROTO: of a newer program;
 * -ENOTRECOVERABLE: the migration failed; or an errno of store.h.
 */
int store_hold_prepare(const struct store_hold *h, const char *path, char *why, size_t why_size);

#endif
