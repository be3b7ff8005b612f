/* SPDX-License-Identifier: MIT */
/* The store: rules, clients, credentials and the audit trail on disk. */
#ifndef PORTUNUS_SERVER_STORE_STORE_H
#define PORTUNUS_SERVER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What outlives the server. The interface is all a second backend would have to implement; nothing
 * outside this folder knows of SQLite. All functions are for one thread, the loop's.
 *
 * Reading is at once and sees what has been committed. Writing is a transaction: it is begun, changes
 * and conditions are recorded in it, it is committed, and later the loop hears what became of it. So a
 * disk that takes its time for a sync holds nobody but those who wait for that write. Transactions are
 * carried out, and told, in the order in which they were committed: whoever changes its memory when a
 * change is told has in memory what is in the store, and a condition that was checked in memory may have
 * to be one of the transaction, too.
 *
 * A function that returns int gives 0 or a negative errno, and a transaction ends with one:
 *   -EBUSY        another process holds the data directory, or has locked the database for longer
 *                 than a write waits (5 s; after one wait in vain 0.1 s until one succeeds again)
 *   -EPROTO       the schema is newer than this program (exit code 78)
 *   -EMEDIUMTYPE  the directory lies on a file system without the locks and syncs that are needed
 *   -ENOSPC       disk full; nothing was changed
 *   -EUCLEAN      the file is not a database of ours, or damaged
 *   -EEXIST, -ENOENT, -EPERM, -EACCES, -EROFS, -ENOMEM, -EIO  as usual
 * A transaction that is told to have ended with 0 is on the disk; of another nothing is. All times are milliseconds since 1970; 0 means "never".
 * Strings given out by a callback live until it returns.
 */
struct event_base;
struct store;
struct store_tx;

#define STORE_ID_SIZE	26 /* a ULID, without terminator */
#define STORE_HASH_SIZE 64 /* SHA-256 in hex, without terminator */

#define STORE_SCHEMA_VERSION 3

/* Opens, or makes (mode 0700), the data directory. @why gets a sentence for the operator. */
int store_open(const char *data_dir, struct store **out, char *why, size_t why_size);
/* Carries out what was committed, and tells nobody any more: see store_settle(). */
void store_close(struct store *s);

/* From now on transactions are carried out by a thread, and told by an event of @base. */
int store_serve(struct store *s, struct event_base *base);
/*
 * Carries out, and tells, all that has been committed, before it returns. Without store_serve() nothing
 * is carried out before it.
 */
void store_settle(struct store *s);

/*
 * Writes a line into the lock file for verbs that find the store held: the holder's address. And
 * reads it without the lock; -ENOENT where there is none.
 */
int store_set_holder(struct store *s, const char *line);
int store_read_holder(const char *data_dir, char *line, size_t size);

/* A sentence about the failure that is being told, for the log. */
const char *store_message(const struct store *s);
/* What to tell an operator about a negative errno of this interface. Static text. */
const char *store_advice(int err);

/*
 * How an operator is told of a negative errno of this interface: the HTTP status, and the code of the
 * error envelope. 507 store_full, 503 store_unavailable (worth a Retry-After), 500 internal.
 */
int store_status(int err, const char **code);

/*
 * A transaction. NULL when there is no memory for it; the functions that record take that, and
 * store_commit() tells it.
 */
struct store_tx *store_begin(struct store *s);
typedef void (*store_done)(void *arg, int err);
/*
 * Returns 0 when @done (NULL: nobody) will be called, never before this function has returned; or
 * -errno, and nothing comes of it. Takes @tx in either case.
 */
int store_commit(struct store_tx *tx, store_done done, void *arg);
/* The same, and settles: what became of it. For the start, and for verbs. */
int store_commit_wait(struct store_tx *tx);
/* Instead of a commit. */
void store_drop(struct store_tx *tx);
/*
 * Work on the disk that belongs to a change, like making a file: done in the transaction's turn, by
 * whoever carries it out and not by the loop. It may be done again when others fail beside it. After an
 * error nothing of the transaction is stored.
 */
void store_work(struct store_tx *tx, int (*work)(void *arg), void *arg);
/*
 * Writes at the end of each transaction, until it is replaced (NULL: none): what write() records is
 * stored together with the change, or neither is. An error of write() fails the transaction.
 */
struct store_companion {
	int (*write)(void *arg, struct store_tx *tx);
	void *arg;
};
void store_set_companion(struct store *s, const struct store_companion *c);
/* For the companion: another who hears how @tx ended, before the one who committed it. */
void store_beside(struct store_tx *tx, store_done done, void *arg);

/* Clients: edges that have redeemed a code. */
struct store_client {
	const char *id, *name, *address; /* address may be NULL */
	const char *token_hash;
	uint64_t provisioned_ms, revoked_ms;
};
int store_clients(struct store *s, void (*row)(void *arg, const struct store_client *c), void *arg);
void store_client_put(struct store_tx *tx, const struct store_client *c);
/* -ENOENT; -EEXIST: another one that is not revoked has the name. */
void store_client_rename(struct store_tx *tx, const char *id, const char *name);
void store_client_readdress(struct store_tx *tx, const char *id, const char *address); /* -ENOENT */
/* Revokes, unless it is revoked, and voids its unredeemed codes. -ENOENT. */
void store_client_revoke(struct store_tx *tx, const char *id, uint64_t revoked_ms);
/* A token that was rotated in: it is the client's, and no setting any more. -ENOENT: it is no such token. */
void store_client_take_token(struct store_tx *tx, const char *id, const char *token_hash);
/* Its rules, counters, codes and settings go with it. -ENOENT. */
void store_client_delete(struct store_tx *tx, const char *id);

/* Enrolment codes: kept hashed, redeemed once. */
struct store_code {
	char client_id[STORE_ID_SIZE + 1];
	/* Owned by the caller of store_code_get (store_code_free). */
	char *name, *address, *endpoint;
	uint64_t created_ms, expires_ms, used_ms;
};
/*
 * Adds a code; earlier unredeemed codes of that client id, and for that name, become void. Prunes long
 * expired ones.
 */
void store_code_add(struct store_tx *tx, const char *hash, const struct store_code *c);
int store_code_get(struct store *s, const char *hash, struct store_code *out);
void store_code_free(struct store_code *c);
/*
 * Redeems: marks the code used and puts the client; one that is known gets the new token only, and is
 * not revoked any more. -ENOENT: the code is unknown or used; -EEXIST: another client has got the name.
 */
void store_code_redeem(struct store_tx *tx, const char *hash, const struct store_client *c);

/* Operator tokens and the browser sessions made from them. */
struct store_token {
	const char *name, *role, *hash;
	uint64_t created_ms, revoked_ms, expires_ms, used_ms;
};
int store_tokens(struct store *s, void (*row)(void *arg, const struct store_token *t), void *arg);
/* In the place of one of that name. -EEXIST: another has the secret. */
void store_token_put(struct store_tx *tx, const struct store_token *t);
/* The same, without any session of that name; -EEXIST also when one of it lives at its created_ms. */
void store_token_add(struct store_tx *tx, const struct store_token *t);
/* With its sessions. -ENOENT: no such token, or revoked; -EPERM: the last admin's that does not expire. */
void store_token_revoke(struct store_tx *tx, const char *name, uint64_t revoked_ms);
void store_token_used(struct store_tx *tx, const char *name, uint64_t used_ms);
void store_token_delete(struct store_tx *tx, const char *name); /* with its sessions */
struct store_session {
	const char *hash, *token_name;
	uint64_t created_ms, used_ms;
};
int store_sessions(struct store *s, void (*row)(void *arg, const struct store_session *w),
		   void *arg);
void store_session_put(struct store_tx *tx, const struct store_session *w);
void store_session_used(struct store_tx *tx, const char *hash, uint64_t used_ms);
void store_session_delete(struct store_tx *tx, const char *hash);
void store_sessions_delete_of(struct store_tx *tx, const char *token_name);

/* Rules. @spec is the rule as JSON; ids start at 1 and are never given twice, also after a restore. */
struct store_rule {
	uint64_t id;
	const char *client_id, *owner, *spec;
	const char *pending_spec; /* an update that no edge has confirmed; NULL: none */
	int state;		  /* enum fleet_state */
	const char *reason;
	uint64_t created_ms, changed_ms;
};
int store_rules(struct store *s, void (*row)(void *arg, const struct store_rule *r), void *arg);
/*
 * Also makes the rule's counters, all zero: the first report counts in full. *id is filled in before the
 * end is told. -EEXIST: there is no such client.
 */
void store_rule_insert(struct store_tx *tx, const struct store_rule *r, uint64_t *id);
/* The highest id that was ever given, and how to leave out all up to one that an edge knows. */
uint64_t store_rule_highest(const struct store *s);
void store_rule_raise(struct store_tx *tx, uint64_t id);
/* Whether this opening found an older copy of state.db in the place of a newer one. */
bool store_was_restored(const struct store *s);
/* An update that waits for its edge. -ENOENT. */
void store_rule_set_pending(struct store_tx *tx, uint64_t id, const char *spec);
/* It does not wait any more, unless another one does. */
void store_rule_drop_pending(struct store_tx *tx, uint64_t id, const char *spec);
/* @spec is in force, and waits no more; the rule is in @state for no reason. -ENOENT. */
void store_rule_confirm(struct store_tx *tx, uint64_t id, const char *spec, int state,
			uint64_t changed_ms);
/* Nothing, when the rule is gone. */
void store_rule_set_state(struct store_tx *tx, uint64_t id, int state, const char *reason,
			  uint64_t changed_ms);
void store_rule_delete(struct store_tx *tx, uint64_t id); /* -ENOENT */

/* Envelopes of owners. @spec is what fits in "rate_limit" of a rule, as JSON. */
struct store_owner_cap {
	const char *client_id, *owner, *spec;
	uint64_t updated_ms;
};
int store_owner_caps(struct store *s, void (*row)(void *arg, const struct store_owner_cap *c),
		     void *arg);
void store_owner_cap_put(struct store_tx *tx, const struct store_owner_cap *c); /* -ENOENT */
void store_owner_cap_delete(struct store_tx *tx, const char *client_id, const char *owner);

/* The last reported and the exported value of each counter of a rule. */
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
void store_counters_put(struct store_tx *tx,
			const struct store_counters *c); /* nothing, when the rule is gone */

/*
 * The audit trail: 90 days, and not more rows than these: whoever is refused cannot push out what was
 * done. The oldest go as new ones come.
 */
#define STORE_AUDIT_DAYS       90
#define STORE_AUDIT_ALLOW_ROWS 50000
#define STORE_AUDIT_DENY_ROWS  10000
struct store_audit {
	uint64_t seq, at_ms;
	const char *actor, *method, *path, *outcome; /* never NULL; outcome "allow" or "deny" */
	const char *role, *scope, *reason, *action, *resource_kind, *resource_value, *details;
	const char *remote_addr;
	uint64_t times; /* for how many alike the row stands */
};
struct store_audit_query {
	uint64_t since_ms, until_ms; /* inclusive; 0: open */
	uint64_t before_seq;	     /* 0: from the newest */
	const char *outcome;	     /* NULL: both */
	unsigned limit;
};
/* *seq (may be NULL) is filled in before the end is told. */
void store_audit_add(struct store_tx *tx, const struct store_audit *row, uint64_t *seq);
/* What became known later of row @row->seq: reason, resource_kind, resource_value. */
void store_audit_complete(struct store_tx *tx, const struct store_audit *row);
void store_audit_set_times(struct store_tx *tx, uint64_t seq, uint64_t times);
/* Drops what is too old. */
void store_audit_prune(struct store_tx *tx, uint64_t now_ms);
/* The same up to a time; *gone is filled in before the end is told. And how many that would be. */
void store_audit_drop(struct store_tx *tx, uint64_t before_ms, uint64_t *gone);
int store_audit_older(struct store *s, uint64_t before_ms, uint64_t *n);
/* Newest first. */
int store_audit_list(struct store *s, const struct store_audit_query *q,
		     void (*row)(void *arg, const struct store_audit *a), void *arg);

/* How large the database is, in bytes; 0 when that cannot be read. */
uint64_t store_bytes(struct store *s);

/*
 * What happened to rules, targets and edges: 90 days, and not more rows than these in all and of one
 * rule, so that a rule that flaps does not push out everybody's.
 */
#define STORE_EVENT_DAYS      90
#define STORE_EVENT_ROWS      200000
#define STORE_EVENT_RULE_ROWS 5000
struct store_event {
	uint64_t seq, at_ms;
	const char *kind; /* of the list in fleet/history.h */
	const char *client_id, *client;
	uint64_t rule_id;   /* 0: of no rule */
	const char *owner;  /* of the rule */
	const char *target; /* "host:port", "[v6]:port" */
	const char *detail; /* NULL: none, like all texts but the kind */
};
struct store_event_query {
	uint64_t since_ms, until_ms; /* inclusive; 0: open */
	uint64_t before_seq;	     /* 0: from the newest */
	uint64_t rule_id;	     /* 0: all */
	const char *client;	     /* id or name; NULL: all */
	const char *kind;	     /* NULL: all; one that ends with '.' is a prefix */
	const char *owner;	     /* NULL: all; else events of rules of that owner alone */
	unsigned limit;
};
void store_event_add(struct store_tx *tx, const struct store_event *e);
/* Drops what is too old or too much. */
void store_events_prune(struct store_tx *tx, uint64_t now_ms);
/* Newest first. */
int store_events(struct store *s, const struct store_event_query *q,
		 void (*row)(void *arg, const struct store_event *e), void *arg);

/* Settings of a client, before its id: the pins that its bundle has, the hash of its next token. */
#define STORE_BUNDLE_PINS "bundle_pins/"
#define STORE_NEXT_TOKEN  "next_token/"
/* … and "1" when its last session said that it caps owners. */
#define STORE_CAPS_OWNERS "caps_owners/"
/* A setting: a number that grows with each restore; absent: 1. */
#define STORE_GENERATION "generation"

/* Small settings. store_setting_get() gives -ENOENT, or a string owned by the caller. */
int store_setting_get(struct store *s, const char *key, char **value);
void store_setting_put(struct store_tx *tx, const char *key, const char *value); /* NULL deletes */

#endif
