/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_STORE_H
#define PORTUNUS_SERVER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What outlives the server. The interface is all a second backend would have to implement; nothing
 * outside store_*.c knows of SQLite. One thread. Every function that returns int gives 0 (or a
 * documented positive count) or a negative errno:
 *   -EBUSY        another process holds the data directory
 *   -EPROTO       the schema is newer than this program (exit code 78)
 *   -EMEDIUMTYPE  the directory lies on a file system without the locks and syncs that are needed
 *   -ENOSPC       disk full; nothing was changed
 *   -EUCLEAN      the file is not a database of ours, or damaged
 *   -EEXIST, -ENOENT, -EACCES, -EROFS, -ENOMEM, -EIO  as usual
 * A write that returned 0 is on the disk. All times are milliseconds since 1970; 0 means "never".
 * Strings given out by a callback live until it returns.
 */
struct store;

#define STORE_ID_SIZE	26 /* a ULID, without terminator */
#define STORE_HASH_SIZE 64 /* SHA-256 in hex, without terminator */

#define STORE_SCHEMA_VERSION 1

/* Opens, or makes (mode 0700), the data directory. @why gets a sentence for the operator. */
int store_open(const char *data_dir, struct store **out, char *why, size_t why_size);
void store_close(struct store *s);

/*
 * Writes a line into the lock file for verbs that find the store held: the holder's address. And
 * reads it without the lock; -ENOENT where there is none.
 */
int store_set_holder(struct store *s, const char *line);
int store_read_holder(const char *data_dir, char *line, size_t size);

/* A sentence about the last failure, for the log. */
const char *store_message(const struct store *s);
/* What to tell an operator about a negative errno of this interface. Static text. */
const char *store_advice(int err);

/* Several writes as one: all or nothing. Not nested. A failed commit has rolled back. */
int store_begin(struct store *s);
int store_commit(struct store *s);
void store_rollback(struct store *s);

/* Clients: edges that have redeemed a code. */
struct store_client {
	const char *id, *name, *address; /* address may be NULL */
	const char *token_hash;
	uint64_t provisioned_ms, revoked_ms;
};
int store_clients(struct store *s, void (*row)(void *arg, const struct store_client *c), void *arg);
int store_client_put(struct store *s, const struct store_client *c);
/* Its rules, counters and codes go with it. */
int store_client_delete(struct store *s, const char *id);

/* Enrolment codes: kept hashed, redeemed once. */
struct store_code {
	char client_id[STORE_ID_SIZE + 1];
	/* Owned by the caller of store_code_get (store_code_free). */
	char *name, *address, *endpoint;
	uint64_t created_ms, expires_ms, used_ms;
};
/* Adds a code; earlier unredeemed codes of that client id become void. Prunes long expired ones. */
int store_code_add(struct store *s, const char *hash, const struct store_code *c);
int store_code_get(struct store *s, const char *hash, struct store_code *out);
void store_code_free(struct store_code *c);
/*
 * Redeems in one transaction: marks the code used and puts the client with its new token.
 * -ENOENT when the code is unknown or already used.
 */
int store_code_redeem(struct store *s, const char *hash, const struct store_client *c);

/* Operator tokens and the browser sessions made from them. */
struct store_token {
	const char *name, *role, *hash;
	uint64_t created_ms, revoked_ms;
};
int store_tokens(struct store *s, void (*row)(void *arg, const struct store_token *t), void *arg);
int store_token_put(struct store *s, const struct store_token *t); /* replaces one of that name */
struct store_session {
	const char *hash, *token_name;
	uint64_t created_ms, used_ms;
};
int store_sessions(struct store *s, void (*row)(void *arg, const struct store_session *w),
		   void *arg);
int store_session_put(struct store *s, const struct store_session *w);
int store_session_delete(struct store *s, const char *hash);
int store_sessions_delete_of(struct store *s, const char *token_name);

/* Rules. @spec is the rule as JSON; ids start at 1 and are never given twice. */
struct store_rule {
	uint64_t id;
	const char *client_id, *owner, *spec;
	int state; /* enum fleet_state */
	const char *reason;
	uint64_t created_ms, changed_ms;
};
int store_rules(struct store *s, void (*row)(void *arg, const struct store_rule *r), void *arg);
/* Also makes the rule's counters, all zero: the first report counts in full. Fills @id. */
int store_rule_insert(struct store *s, const struct store_rule *r, uint64_t *id);
int store_rule_set_spec(struct store *s, uint64_t id, const char *spec);
int store_rule_set_state(struct store *s, uint64_t id, int state, const char *reason,
			 uint64_t changed_ms);
int store_rule_delete(struct store *s, uint64_t id);

/* The last reported and the exported value of each counter of a rule (DECISIONS 25a). */
enum store_counter {
	STORE_BYTES_IN,
	STORE_BYTES_OUT,
	STORE_DNS_FAILURES,
	STORE_FAILOVERS,
	STORE_COUNTERS
};
struct store_counters {
	uint64_t rule_id;
	uint64_t epoch; /* of the edge's counters; 0 before the first report */
	uint64_t reported[STORE_COUNTERS], exported[STORE_COUNTERS];
};
int store_counters(struct store *s, void (*row)(void *arg, const struct store_counters *c),
		   void *arg);
int store_counters_put(struct store *s, const struct store_counters *c);

/* The audit trail: 90 days, at most 50,000 rows. */
#define STORE_AUDIT_DAYS 90
#define STORE_AUDIT_ROWS 50000
struct store_audit {
	uint64_t seq, at_ms;
	const char *actor, *method, *path, *outcome; /* never NULL */
	const char *role, *scope, *reason, *action, *resource_kind, *resource_value, *details;
};
struct store_audit_query {
	uint64_t since_ms, until_ms; /* inclusive; 0: open */
	uint64_t before_seq;	     /* 0: from the newest */
	const char *outcome;	     /* NULL: both */
	unsigned limit;
};
int store_audit_add(struct store *s, const struct store_audit *row);
/* Drops what is too old or too much. Returns the number of rows dropped or a negative errno. */
int store_audit_prune(struct store *s, uint64_t now_ms);
/* Newest first. */
int store_audit_list(struct store *s, const struct store_audit_query *q,
		     void (*row)(void *arg, const struct store_audit *a), void *arg);

/* Small settings. store_setting_get() gives -ENOENT, or a string owned by the caller. */
int store_setting_get(struct store *s, const char *key, char **value);
int store_setting_put(struct store *s, const char *key, const char *value); /* NULL deletes */

#endif
