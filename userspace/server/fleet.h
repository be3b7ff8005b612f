/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_FLEET_H
#define PORTUNUS_SERVER_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/rule.h"
#include "server/gates.h"
#include "server/report.h"
#include "server/store.h"

/*
 * The clients, their rules and their sessions: what the API reads and changes. Everything runs in
 * the loop's thread. The structs may be read by everybody and are written by fleet_*.c alone; a
 * pointer to one is good until the next return to the loop. A change is in the store before the
 * function, or the callback that completes it, says so.
 */
struct changes;
struct event_base;
struct fleet;
struct session;

#define FLEET_ACK_TIMEOUT_SECS	 2
#define FLEET_STATS_TIMEOUT_MS	 500
#define FLEET_COUNTERS_FLUSH_SEC 5
#define FLEET_STALE_MS		 15000 /* three reports missed */

enum fleet_state { FLEET_PENDING, FLEET_ACTIVE, FLEET_FAILED };

struct fleet_client {
	char id[STORE_ID_SIZE + 1];
	char *name, *address; /* address NULL: none given */
	char token_hash[STORE_HASH_SIZE + 1];
	uint64_t provisioned_ms, revoked_ms;
	struct session *session;	/* NULL: not connected */
	TAILQ_HEAD(, fleet_rule) rules; /* by id */
	uint64_t last_seen_ms;
};

struct fleet_rule {
	TAILQ_ENTRY(fleet_rule) of_client;
	struct fleet_client *client;
	struct rule *rule; /* with its id and owner */
	enum fleet_state state;
	bool activated;	  /* has been active since this server started, or was when it did */
	char reason[128]; /* of FLEET_FAILED */
	uint64_t created_ms, changed_ms;
	struct rule_figures *figures; /* the last report; NULL before the first */
	uint64_t report_mono_ns, report_wall_ms;
	struct store_counters counters;
	bool counted;			  /* counters.reported has a baseline */
	bool counters_dirty, state_dirty; /* to be flushed */
	struct fleet_push *push;	  /* an operator waits for its ack */
	LIST_HEAD(, fleet_watch) watches;
};

/* A session, as the list of clients shows it. Texts live as long as the session. */
struct fleet_session_info {
	const char *remote_addr, *version, *client_version, *accounting; /* "" when not said */
	uint64_t connected_ms;
};

struct fleet *fleet_new(struct event_base *base, struct store *store);
/* Reads clients, rules and counters. Returns 0 or -errno. Before anything else. */
int fleet_load(struct fleet *f);
/* Closes every session, flushes and frees. Waiting operators get ack_timeout. */
void fleet_free(struct fleet *f);

/* Lookups. Arrays are sorted by id and valid until the next change. */
struct fleet_client *fleet_client(struct fleet *f, const char *id);
/* The one a push means: of that name, not revoked, preferably connected. */
struct fleet_client *fleet_client_by_name(struct fleet *f, const char *name);
struct fleet_client *fleet_client_by_token(struct fleet *f, const char *token_hash);
struct fleet_client *const *fleet_clients(const struct fleet *f, size_t *n);
struct fleet_rule *fleet_rule(struct fleet *f, uint64_t id);
struct fleet_rule *const *fleet_rules(const struct fleet *f, size_t *n);
size_t fleet_connected(const struct fleet *f);
bool fleet_is_connected(const struct fleet_client *c);
/* Fills in @out for a connected client, else returns false. */
bool fleet_session_info(const struct fleet_client *c, struct fleet_session_info *out);

/* Changes of clients: 0 or -errno of the store, and then nothing has changed. */
int fleet_client_rename(struct fleet *f, struct fleet_client *c, const char *name);
int fleet_client_readdress(struct fleet *f, struct fleet_client *c, const char *address);
int fleet_client_revoke(struct fleet *f, struct fleet_client *c); /* drops its session */
int fleet_client_delete(struct fleet *f, struct fleet_client *c); /* and its rules */
/*
 * Redeems a code: a new client, or a new token for an existing one, whose session is dropped and
 * whose revocation ends. -ENOENT: the code is unknown or used.
 */
int fleet_client_redeem(struct fleet *f, const char *code_hash, const struct store_code *code,
			const char *token_hash);

/*
 * Called once per push or update, never before the function that started it has returned. @err is
 * NULL when the edge has activated the rule. @r is NULL if the rule was removed meanwhile.
 */
typedef void (*fleet_done)(void *arg, struct fleet_rule *r, const struct fleet_error *err);

/*
 * Checks client, connection, gates and ports, stores the rule as pending, sends it and waits for
 * the edge. Takes @rule, owner set, in every case. Returns 0 when @done will be called, or -1 with
 * @err filled in and nothing stored.
 */
int fleet_push(struct fleet *f, struct rule *rule, fleet_done done, void *arg,
	       struct fleet_error *err);
/*
 * Replaces a rule's targets, interval and time-outs (DECISIONS 18a); else as fleet_push(). When the
 * edge refuses, the old rule is back before @done is called.
 */
int fleet_update(struct fleet *f, struct fleet_rule *r, struct rule *rule, fleet_done done,
		 void *arg, struct fleet_error *err);
/* Removes a rule everywhere; does not wait for the edge. 0 or -errno of the store. */
int fleet_remove(struct fleet *f, struct fleet_rule *r);

/*
 * Calls @done with figures that are no older than this call where the edge can be asked, else (or
 * after FLEET_STATS_TIMEOUT_MS) with the last report; possibly at once. @r is NULL if the rule went.
 */
void fleet_refresh(struct fleet *f, struct fleet_rule *r, void (*done)(void *, struct fleet_rule *),
		   void *arg);
/* The changes of health that edges have reported since this server started. */
const struct changes *fleet_changes(const struct fleet *f);
bool fleet_is_stale(const struct fleet_rule *r);
/* Milliseconds since the last report; 0 before the first. */
uint64_t fleet_report_age_ms(const struct fleet_rule *r);

/* News about one rule. Embedded by who watches; may be removed inside its own callback. */
enum fleet_news { FLEET_REPORTED, FLEET_HEALTH_CHANGED, FLEET_GONE };
struct fleet_watch {
	LIST_ENTRY(fleet_watch) entry;
	void (*news)(struct fleet_watch *w, struct fleet_rule *r, enum fleet_news news);
};
void fleet_watch(struct fleet_rule *r, struct fleet_watch *w);
void fleet_unwatch(struct fleet_watch *w); /* not after FLEET_GONE */

#endif
