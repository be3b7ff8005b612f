/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SELFTESTS_FUZZ_MEMORY_STORE_H
#define PORTUNUS_SELFTESTS_FUZZ_MEMORY_STORE_H

/* A store in memory with an edge, its rule, a token of each role and a sign-in, set back for each input. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "server/access/credentials.h"
#include "server/fleet/fleet.h"
#include "server/store/inner.h"
#include "server/store/schema.h"

#define CLIENT "01J9ZK8M3Q6S7T8V9W0X1Y2Z3A"

/* Says which, since in optimised code one abort() is hard to tell from the next. */
#define never(what)                                                               \
	do {                                                                      \
		if (what) {                                                       \
			fprintf(stderr, "ERROR: line %d: %s\n", __LINE__, #what); \
			abort();                                                  \
		}                                                                 \
	} while (0)

#define TABLES(X) X(clients) X(rules) X(counters) X(tokens) X(sessions) X(sqlite_sequence)
#define KEEP(t)	  "CREATE TABLE seed.of_" #t " AS SELECT * FROM main." #t ";"
#define BACK(t)	  "INSERT INTO main." #t " SELECT * FROM seed.of_" #t ";"

static void put_token(struct store_tx *tx, const char *name, const char *role, const char *secret)
{
	char hash[SECRET_HASH_SIZE];

	secret_hash(secret, hash);
	store_token_put(tx, &(struct store_token){.name = name,
						  .role = role,
						  .hash = hash,
						  .created_ms = clock_wall_ms()});
}

static void seed(struct store *s)
{
	struct store_tx *tx = store_begin(s);
	char hash[SECRET_HASH_SIZE];
	uint64_t id;

	put_token(tx, "root", "admin", "admin");
	put_token(tx, "ops", "operator", "operator");
	put_token(tx, "eyes", "viewer", "viewer");
	secret_hash("session", hash);
	store_session_put(tx, &(struct store_session){.hash = hash,
						      .token_name = "root",
						      .created_ms = clock_wall_ms(),
						      .used_ms = clock_wall_ms()});
	store_client_put(tx, &(struct store_client){.id = CLIENT,
						    .name = "edge-01",
						    .token_hash = "none",
						    .provisioned_ms = 1});
	store_rule_insert(
		tx,
		&(struct store_rule){.client_id = CLIENT,
				     .owner = "ops",
				     .spec = "{\"client\":\"edge-01\",\"listen_port\":8080,"
					     "\"targets\":[{\"host\":\"a\",\"port\":1},"
					     "{\"host\":\"b\",\"port\":2}]}",
				     .state = FLEET_ACTIVE,
				     .created_ms = 1,
				     .changed_ms = 1},
		&id);
	never(store_commit_wait(tx));
	never(db_exec(&s->place.db, "ATTACH ':memory:' AS seed;" TABLES(KEEP)));
}

static void no_outcome(void *arg, const struct store_tx *tx)
{
}

static struct store *memory_store(void)
{
	struct store *s = calloc(1, sizeof(*s));
	char why[256];
	int from;

	s->lock_fd = -1;
	s->place.ids_fd = -1;
	writer_init(&s->writer, &s->place, no_outcome, NULL);
	never(db_open(&s->place.db, ":memory:"));
	s->read.handle = s->place.db.handle;
	never(db_exec(&s->place.db, "PRAGMA foreign_keys = ON"));
	never(schema_migrate(&s->place.db, &from, why, sizeof(why)));
	seed(s);
	return s;
}

/* @changes is the caller's, 0 at first: of the store when it was last as seeded. */
static void reset_store(struct store *s, int *changes)
{
	if (*changes == sqlite3_total_changes(s->place.db.handle))
		return;
	never(db_exec(&s->place.db,
		      "BEGIN; DELETE FROM audit; DELETE FROM settings; DELETE FROM codes;"
		      "DELETE FROM events;"
		      "DELETE FROM main.counters; DELETE FROM main.rules; DELETE FROM main.clients;"
		      "DELETE FROM main.tokens; DELETE FROM main.sessions;"
		      "DELETE FROM main.sqlite_sequence;" TABLES(BACK) "COMMIT"));
	*changes = sqlite3_total_changes(s->place.db.handle);
}

#endif
