/* SPDX-License-Identifier: MIT */
/* A transaction as it is recorded: its steps, for whoever carries them out later. */
#ifndef PORTUNUS_SERVER_STORE_TX_H
#define PORTUNUS_SERVER_STORE_TX_H

#include <sys/queue.h>

#include "server/store/db.h"
#include "server/store/store.h"

/* What of the store belongs to whoever carries transactions out, one thread at a time. */
struct tx_place {
	struct db db;
	int ids_fd;
	uint64_t highest_id; /* of a rule, as the file beside the database has it */
	/* Rows of the audit trail by outcome, allow and deny; read when they are not known. */
	bool audit_counted;
	uint64_t audit_rows[2];
};

/* One statement, with copies of its values; or what @run does with them. */
struct tx_step {
	STAILQ_ENTRY(tx_step) next;
	int (*run)(struct tx_place *p, struct store_tx *tx, const struct tx_step *st);
	const char *sql, *types;
	int otherwise; /* tx_sql(): the errno when it changes no row; tx_refuse_if(): when it finds one */
	uint64_t *out;
	int (*work)(void *arg); /* of store_work() */
	void *arg;
	struct db_value value[];
};

struct store_tx {
	STAILQ_ENTRY(store_tx) next;
	struct store *store;
	STAILQ_HEAD(, tx_step) steps;
	int err; /* of the recording, then of the carrying out */
	char message[DB_MESSAGE_SIZE];
	uint64_t given_id; /* the highest id of a rule that it gives; 0: none */
	store_done done, beside;
	void *arg, *beside_arg;
};

/*
 * Record a step; for the files of the store, which say in store.h what that means. @tx may be NULL, and
 * one that could not be recorded fails as a whole.
 */
/* Changes rows; that it changed none is the error @otherwise, 0: none. */
void tx_sql(struct store_tx *tx, int otherwise, const char *sql, const char *types, ...);
/* Fails with @otherwise when the query has a row. */
void tx_refuse_if(struct store_tx *tx, int otherwise, const char *sql, const char *types, ...);
/* Anything else: @run gets the step. NULL: it could not be recorded. */
struct tx_step *tx_step(struct store_tx *tx,
			int (*run)(struct tx_place *p, struct store_tx *tx,
				   const struct tx_step *st),
			const char *sql, const char *types, ...);

/* Carries out the steps inside the open transaction. 0 or -errno. */
int tx_run(struct store_tx *tx, struct tx_place *p);
void tx_free(struct store_tx *tx);

#endif
