/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_FLEET_INTERNAL_H
#define PORTUNUS_SERVER_FLEET_INTERNAL_H

/* What the files of the fleet share; nobody else includes this. */
#include <event2/event.h>

#include "lib/ulid.h"
#include "server/changes.h"
#include "server/fleet_session.h"

#define VERSION_TEXT_MAX 32

struct fleet {
	struct event_base *base;
	struct store *store;
	struct fleet_client **clients; /* by id */
	size_t n_clients, clients_room;
	struct fleet_rule **rules; /* by id */
	size_t n_rules, rules_room;
	size_t n_connected;
	struct event *flush_timer;
	size_t flush_next; /* index of the rule whose turn it is */
	struct changes *changes;
};

/* A message that waits for room in the link's queue. */
struct outgoing {
	STAILQ_ENTRY(outgoing) next;
	enum { OUT_PUSH, OUT_REMOVE, OUT_STATS, OUT_REPLAY_DONE } kind;
	char request_id[ULID_SIZE + 8]; /* "replay-" before it */
	uint64_t value;			/* rule id, serial, or count */
	struct rule *removed;		/* OUT_REMOVE: owned */
};

/* Somebody who waits for figures of a rule that are no older than the question. */
struct refresh {
	TAILQ_ENTRY(refresh) entry;
	struct session *session;
	struct event *timeout;
	uint64_t rule_id, serial;
	void (*done)(void *arg, struct fleet_rule *r);
	void *arg;
};

struct session {
	struct fleet *fleet;
	struct fleet_client *client;
	const struct fleet_link_ops *ops;
	void *link;
	char remote_addr[64];
	char version[VERSION_TEXT_MAX], client_version[VERSION_TEXT_MAX];
	char accounting[8];
	uint64_t connected_ms;
	uint64_t own_epoch; /* for an edge that does not tell one: its counters begin with it */
	bool ready;	    /* Hello was seen */
	bool udp, rule_update, rule_options, stats_requests, replay_done;
	STAILQ_HEAD(, outgoing) urgent; /* what operators do */
	STAILQ_HEAD(, outgoing) bulk;	/* the replay */
	uint64_t stats_sent, stats_answered;
	TAILQ_HEAD(refresh_queue, refresh) refreshes;
};

/* A push or update whose ack an operator waits for. Owned by its rule. */
struct fleet_push {
	struct fleet *fleet;
	struct fleet_rule *r;
	struct event *timeout;
	char request_id[ULID_SIZE];
	struct rule *previous; /* of an update: what to return to */
	fleet_done done;
	void *arg;
	/* The outcome when it is known before the caller has returned; told from the loop. */
	bool decided;
	struct fleet_error outcome;
};

/* fleet_clients.c */
struct fleet_client *fleet_client_new(const struct store_client *row); /* NULL for memory */
void fleet_client_free(struct fleet_client *c);
int fleet_index_client(struct fleet *f, struct fleet_client *c);

/* fleet.c */
int fleet_grow(void **array, size_t n, size_t *room); /* for one more pointer */
int fleet_index_rule(struct fleet *f, struct fleet_rule *r);
void fleet_drop_rule(struct fleet *f, struct fleet_rule *r); /* from memory, with its watches */
/* Sets and stores a state; the store's errno if it could not be stored. */
int fleet_set_state(struct fleet *f, struct fleet_rule *r, enum fleet_state state,
		    const char *reason);
/* The same for states that nobody waits for: stored with the next flush, all in one transaction. */
void fleet_set_state_later(struct fleet *f, struct fleet_rule *r, enum fleet_state state,
			   const char *reason);
void fleet_flush(struct fleet *f);

/* fleet_push.c */
/* An edge's answer to a push; @outcome NULL: activated. */
void fleet_push_answered(struct fleet_push *p, const char *refusal);
void fleet_push_cancel(struct fleet_push *p, int status, const char *code, const char *message);

/* fleet_session.c */
void fleet_session_drop(struct session *s, const char *why);
int session_send_push(struct session *s, const char *request_id, uint64_t rule_id);
int session_send_remove(struct session *s, const struct rule *rule);
int session_send_stats_request(struct session *s);

/* fleet_stats.c */
void fleet_refreshes_fail(struct session *s);
void fleet_news(struct fleet_rule *r, enum fleet_news news);

void fleet_error_set(struct fleet_error *err, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
