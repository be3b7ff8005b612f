/* SPDX-License-Identifier: MIT */
/* The link to the server: connecting, the hand-shake, how it ends, when it is tried again. */
#ifndef PORTUNUS_EDGE_CONTROL_LINK_H
#define PORTUNUS_EDGE_CONTROL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/wire/portunus.pb-c.h"

struct bundle;
struct control_link;
struct event_base;
struct rate_limit;
struct rule;
struct stats_request;

/* How a connection ended, or why there is none. */
enum link_end {
	LINK_FAILED,	 /* no session began */
	LINK_LOST,	 /* a session ended */
	LINK_SUPERSEDED, /* another process came with the same credential */
	LINK_REFUSED,	 /* the server does not take this credential, or is not the pinned one */
	LINK_ROTATED,	 /* the token was replaced by a newer one */
	LINK_REVOKED,	 /* an order to stop; the link does not try again by itself */
};

/* What a link tells its owner. The latter ones are those of a session (edge/control/session.h). */
struct link_ops {
	void (*up)(void *arg, const Portunus__V1__Welcome *w);
	/* The link has chosen when it tries again; a control_link_connect() in here comes first. */
	void (*down)(void *arg, enum link_end how, const char *why);
	void (*drained)(void *arg); /* there is room for reports again */
	const char *(*push)(void *arg, const struct rule *rule);
	void (*refused)(void *arg, uint64_t rule_id);
	bool (*remove)(void *arg, uint64_t rule_id, uint64_t *saved_by);
	void (*owner_caps)(void *arg, const char *owner, const struct rate_limit *limit);
	void (*replayed)(void *arg, bool whole);
	void (*stats_wanted)(void *arg, const struct stats_request *wanted);
	void (*credential)(void *arg, const Portunus__V1__CredentialUpdate *u);
	void (*failback)(void *arg, uint64_t rule_id);
	void (*flows_wanted)(void *arg, uint64_t request_id, uint64_t rule_id);
};

struct link_config {
	struct event_base *base;
	const struct link_ops *ops;
	void *arg;
	uint32_t reconnect_initial_ms, reconnect_max_secs;
	bool kernel_accounting; /* what Hello says */
};

/* The way to the server: one connection at a time, made again when it ends. Main thread, all of it.
 * NULL for memory. */
struct control_link *control_link_new(const struct link_config *config);
void control_link_free(struct control_link *l);

/* NULL, or what is wrong with the bundle's endpoint. */
const char *control_link_check(const struct bundle *b);

/*
 * Connects to the bundle's server, at once and without the waits of earlier failures, and stays at
 * it. The bundle has passed control_link_check(). A connection that exists is ended without a word to
 * the owner.
 */
void control_link_connect(struct control_link *l, const struct bundle *b);
/* The bundle has changed in what the next connection uses; the one that is open goes on. */
void control_link_renew(struct control_link *l, const struct bundle *b);
/* Ends the session in good order and tries nothing any more. */
void control_link_stop(struct control_link *l);

/* An address or a route has changed: what waits for a server that could not be reached waits no longer. */
void control_link_hurry(struct control_link *l);

/* Answers a request for flows; without a session it is for nobody. */
void control_link_flows(struct control_link *l, Portunus__V1__FlowList *list);

/* Each sends, or ends the session if that fails; -EAGAIN of a report: drained() follows. */
int control_link_report(struct control_link *l, Portunus__V1__StatsReport *report);
void control_link_rule_active(struct control_link *l, uint64_t rule_id);
void control_link_saved(struct control_link *l, uint64_t upto);
void control_link_credential_stored(struct control_link *l, uint64_t serial, const char *error);

#endif
