/* SPDX-License-Identifier: MIT */
/* Sessions of edges: their begin and end, the replay, what they say. */
#ifndef PORTUNUS_SERVER_FLEET_SESSIONS_H
#define PORTUNUS_SERVER_FLEET_SESSIONS_H

#include "server/fleet/error.h"
#include "server/fleet/model.h"
#include "server/fleet/outbox.h"

/*
 * Sessions: control streams of edges, from their begin to their end. What carries a stream begins a
 * session with fleet_session_begin() (fleet.h) and calls the fleet_session_*() functions here.
 */
#define VERSION_TEXT_MAX 32

/* What the edge said of itself; nothing is kept. */
struct fleet_hello {
	const char *client_version; /* NULL or "": not said */
	bool udp;
	const char *const *capabilities;
	size_t n_capabilities;
};

enum fleet_outcome { FLEET_ACTIVATED, FLEET_REFUSED, FLEET_REMOVED };

/* One report. Nothing is kept. */
struct fleet_report {
	uint64_t serial; /* of the request that it answers, or 0 */
	uint64_t epoch;	 /* of the edge's counters; never 0 */
	const struct rule_figures *const *rules;
	size_t n;
};

struct flow_row;

/* Told to those who began the session. */
struct session_events {
	/* An edge's word about one of its own rules, never FLEET_REMOVED. */
	void (*status)(struct session *s, struct fleet_rule *r, const char *request_id,
		       enum fleet_outcome outcome, const char *reason);
	void (*report)(struct session *s, const struct fleet_report *report);
	/* Hello was taken, the replay has begun. */
	void (*greeted)(struct session *s);
	/* The edge has stored an update of its bundle, or (@error not "") has not. */
	void (*credential)(struct session *s, uint64_t serial, const char *error);
	/* The client is not connected any more; the session is freed after it. */
	void (*ended)(struct session *s);
	/* An answer to a request for flows; nothing is kept. */
	void (*flows)(struct session *s, uint64_t serial, const struct flow_row *rows, size_t n,
		      bool more);
};

struct flows_wait;
struct refresh;
struct sni_figures;
struct session {
	struct fleet *fleet;
	struct fleet_client *client;
	const struct session_events *events;
	struct outbox out;
	char remote_addr[64];
	char version[VERSION_TEXT_MAX], client_version[VERSION_TEXT_MAX];
	char accounting[8];
	uint64_t connected_ms;
	uint64_t own_epoch; /* for an edge that does not tell one: its counters begin with it */
	bool udp, proxy, sni, rate_limit, range_targets, rule_update, rule_options, source_options,
		stats_requests, replay_done, credential_update, balance, failback, flow_list,
		kernel_relay;
	/* An update of the bundle that is out. Used by renewal.c alone. */
	uint64_t credential_serial;
	char credential_pins[FLEET_PINS_SIZE];
	/* Who waits for flows. Used by flows.c alone. */
	uint64_t flows_asked;
	TAILQ_HEAD(flows_wait_queue, flows_wait) flows_waits;
	/* Who waits for figures. Used by stats.c alone. */
	uint64_t stats_sent, stats_answered;
	TAILQ_HEAD(refresh_queue, refresh) refreshes;
};

/* An earlier session of that client is closed. Returns NULL for memory. */
struct session *session_begin(struct fleet *f, struct fleet_client *c,
			      const struct fleet_link_ops *ops, void *link,
			      const char *remote_addr);
/* Ends the session and its stream. */
void session_drop(struct session *s, const char *why);
/* Whether the edge of that session can have a rule, as gate_rule(). */
int session_gate(const struct session *s, const struct rule *rule, struct fleet_error *err);
/* Whether it can cap anything, as gate_caps(). */
int session_gate_caps(const struct session *s, struct fleet_error *err);
/*
 * Whether the caps of a rule hold there. An existing edge ties them to a rule when that begins in a session
 * and can change them later, but not add them to one that began without.
 */
bool session_enforces_caps(const struct session *s, const struct fleet_rule *r);

/*
 * Whether a stream of that client may begin. An edge connects again when it has lost its stream, so one
 * that is still open here is dead, and gives way; when that happens again and again, two hosts have the
 * same bundle: then the open stream stays and the other is turned away (-EBUSY), and it is said.
 */
int fleet_session_admit(struct fleet_client *c, const char *remote_addr);
/* After Welcome was sent: starts the replay of every rule. Once. */
void fleet_session_hello(struct session *s, const struct fleet_hello *h);
void fleet_session_status(struct session *s, const char *request_id, uint64_t rule_id,
			  enum fleet_outcome outcome, const char *reason);
/* @epoch 0: the edge does not say. The rules' figures are copied. */
void fleet_session_report(struct session *s, uint64_t serial, uint64_t epoch,
			  const struct rule_figures *const *rules, size_t n);
/* What it counts of its ports that route by server name; copied. */
void fleet_session_sni(struct session *s, const struct sni_figures *ports, size_t n);
/* Part of a report: what the caps of one owner have done. Copied. */
void fleet_session_owner_report(struct session *s, const char *owner,
				const struct caps_figures *figures);
void fleet_session_flows(struct session *s, uint64_t serial, const struct flow_row *rows, size_t n,
			 bool more);
void fleet_session_credential(struct session *s, uint64_t serial, const char *error);
/* The accounting mode, when an edge changes it after Hello. */
void fleet_session_accounting(struct session *s, const char *mode);
/* How often the edge's workers stood still, since its start. */
void fleet_session_stalls(struct session *s, uint64_t n);
void fleet_session_writable(struct session *s);
void fleet_session_end(struct session *s);
struct fleet_client *fleet_session_client(const struct session *s);

/* A session, as the list of clients shows it. Texts live as long as the session. */
struct fleet_session_info {
	const char *remote_addr, *version, *client_version, *accounting; /* "" when not said */
	uint64_t connected_ms;
};
/* Fills in @out for a connected client, else returns false. */
bool fleet_session_info(const struct fleet_client *c, struct fleet_session_info *out);

#endif
