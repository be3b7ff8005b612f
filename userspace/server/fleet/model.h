/* SPDX-License-Identifier: MIT */
/* Clients and rules in two sorted arrays. */
#ifndef PORTUNUS_SERVER_FLEET_MODEL_H
#define PORTUNUS_SERVER_FLEET_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/rule/rule.h"
#include "server/fleet/report.h"
#include "server/store/store.h"

/*
 * The clients and their rules in memory: arrays and look-ups. Everything runs in the loop's thread.
 * What operators change is here when the store has told that it is on the disk, in that order.
 * Everybody may read the structs, the files of the fleet alone write them; a pointer to a client or
 * a rule is good until the next return to the loop.
 */
struct changes;
struct fleet_owner;
struct event;
struct event_base;
struct fleet_insert;
struct fleet_push;
struct history;
struct renewal;
struct session;
struct sni_figures;

/* News about one rule. Embedded by who watches; may be removed inside its own callback. */
enum fleet_news { FLEET_REPORTED, FLEET_HEALTH_CHANGED, FLEET_GONE };
struct fleet_rule;
struct fleet_watch {
	LIST_ENTRY(fleet_watch) entry;
	void (*news)(struct fleet_watch *w, struct fleet_rule *r, enum fleet_news news);
};

#define FLEET_PINS_SIZE (2 * 64 + 2)

enum fleet_state { FLEET_PENDING, FLEET_ACTIVE, FLEET_FAILED };

struct fleet_client {
	char id[STORE_ID_SIZE + 1];
	char *name, *address; /* address NULL: none given */
	char token_hash[STORE_HASH_SIZE + 1];
	char next_token_hash[STORE_HASH_SIZE + 1]; /* of one that the edge may have; "": none */
	uint64_t provisioned_ms, revoked_ms;
	struct session *session;	  /* the open stream, NULL: none */
	bool connected;			  /* the session has said Hello */
	TAILQ_HEAD(, fleet_rule) rules;	  /* by id */
	TAILQ_HEAD(, fleet_owner) owners; /* by id */
	bool caps_owners;		  /* its last session said that it does */
	/* The pins that its bundle has, "PIN" or "PIN,NEXT", as far as it has said; "": never said. */
	char pins[FLEET_PINS_SIZE];
	uint64_t last_seen_ms;
	struct sni_figures *sni; /* of its ports that route by server name, as last reported */
	size_t n_sni;
	/* How often its workers stood still: as it said last, and since this server first heard of it. */
	struct {
		bool told;
		uint64_t last, total;
	} stalls;
	/* Streams that came while another was open, lately; and whether two hosts have the bundle. */
	struct {
		uint64_t last_ns, told_ns;
		unsigned n;
		uint64_t seen_ms;     /* the last time that two hosts were seen; 0: never */
		char remote_addr[64]; /* of the one that was turned away */
	} contest;
};

#define FLEET_REQUEST_ID_SIZE 40

struct fleet_rule {
	TAILQ_ENTRY(fleet_rule) of_client;
	struct fleet_client *client;
	struct rule *rule; /* what the edge has, as far as it has said; with its id and owner */
	/* An update that no edge has confirmed, NULL: none; it was sent, or is to be, under next_id. */
	struct rule *next;
	char next_id[FLEET_REQUEST_ID_SIZE];
	unsigned next_serial;	    /* grows with each update */
	const struct rule *storing; /* an update that is with the store, which has it; NULL: none */
	bool in_doubt; /* the edge may have taken an update over whose answer is lost */
	enum fleet_state state;
	unsigned state_serial; /* grows with each word about the state */
	/* The session in which it began with caps (session.own_epoch); 0: none did. */
	uint64_t capped_since;
	bool activated;	  /* has been active since this server started, or was when it did */
	char reason[128]; /* of FLEET_FAILED */
	uint64_t created_ms, changed_ms;
	/* The last report, of targets only that the rule has, at most one row of each; NULL before the first. */
	struct rule_figures *figures;
	uint64_t report_mono_ns, report_wall_ms;
	struct port_figures *ports; /* the last rows of ports, which only some reports have */
	uint32_t n_ports;
	uint64_t ports_wall_ms;
	struct store_counters counters;
	bool counted;			  /* counters.reported has a baseline */
	bool counters_dirty, state_dirty; /* to be flushed */
	struct fleet_push *push;	  /* an operator waits for its ack */
	LIST_HEAD(, fleet_watch) watches;
};

struct fleet {
	struct event_base *base;
	struct store *store;
	struct fleet_client **clients; /* by id */
	size_t n_clients, clients_room;
	struct fleet_rule **rules; /* by id */
	size_t n_rules, rules_room;
	size_t n_connected;
	LIST_HEAD(, fleet_insert) inserts; /* rules that are with the store */
	size_t n_inserts, n_redeems;	   /* what may be added to the arrays soon */
	uint64_t id_raised;		   /* asked of the store */
	unsigned range_ports_max;	   /* of a rule that is pushed or changed */
	struct event *flush_timer;
	bool flushing;	   /* a batch is with the store */
	size_t flush_next; /* index of the rule whose turn it is */
	struct changes *changes;
	struct history *history;
	struct renewal *renewal; /* NULL: bundles are not renewed */
};

/* What became of a change that was stored; @r or @c is NULL when it is gone. */
typedef void (*fleet_rule_done)(void *arg, struct fleet_rule *r, int err);
typedef void (*fleet_client_done)(void *arg, struct fleet_client *c, int err);

/* Look-ups. Arrays are sorted by id and valid until the next change. */
struct fleet_client *fleet_client(struct fleet *f, const char *id);
/* The one of that name that is not revoked, NULL: the name is free. */
struct fleet_client *fleet_client_by_name(struct fleet *f, const char *name);
/* What an operator names by id or name: by id; else who has the name now; else the last who had it. */
struct fleet_client *fleet_client_find(struct fleet *f, const char *text);
struct fleet_client *fleet_client_by_token(struct fleet *f, const char *token_hash);
struct fleet_client *const *fleet_clients(const struct fleet *f, size_t *n);
struct fleet_rule *fleet_rule(struct fleet *f, uint64_t id);
struct fleet_rule *const *fleet_rules(const struct fleet *f, size_t *n);
/* The index of the first rule with an id above @id; the number of rules if there is none. */
size_t fleet_rules_after(const struct fleet *f, uint64_t id);
size_t fleet_connected(const struct fleet *f);
bool fleet_is_connected(const struct fleet_client *c);

void fleet_watch(struct fleet_rule *r, struct fleet_watch *w);
void fleet_unwatch(struct fleet_watch *w); /* not after FLEET_GONE */

/* ---- for the files of the fleet ---- */

/* Into the history: what happened to a rule or (@r NULL) to a client. */
void model_note(struct fleet *f, const char *kind, const struct fleet_client *c,
		const struct fleet_rule *r, const char *detail);
/* Tells all who watch a rule. */
void model_news(struct fleet_rule *r, enum fleet_news news);

struct fleet_client *model_client_new(const struct store_client *row); /* NULL for memory */
void model_client_free(struct fleet_client *c);
/* Room for one more than n_redeems: after it, model_client_add() cannot fail. 0 or -ENOMEM. */
int model_client_room(struct fleet *f);
int model_client_add(struct fleet *f, struct fleet_client *c);
/* Without rules and session. Frees it. */
void model_client_remove(struct fleet *f, struct fleet_client *c);

/* @rule is taken when there is memory for the entry, which is not in the arrays yet. */
struct fleet_rule *model_rule_new(struct fleet_client *c, struct rule *rule);
void model_rule_free(struct fleet_rule *r);
int model_rule_room(struct fleet *f); /* the same, with n_inserts */
int model_rule_add(struct fleet *f, struct fleet_rule *r);
/* Without a push and watches. Frees it. */
void model_rule_remove(struct fleet *f, struct fleet_rule *r);

#endif
