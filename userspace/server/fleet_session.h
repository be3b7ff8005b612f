/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_FLEET_SESSION_H
#define PORTUNUS_SERVER_FLEET_SESSION_H

#include "server/fleet.h"

/*
 * The edge's side of the fleet: what carries a control stream calls the fleet_session_*()
 * functions and gives these operations. The fleet never calls one of them from inside a
 * fleet_session_*() call after fleet_session_end().
 */
struct fleet_link_ops {
	/*
	 * Send a message. 0; -EAGAIN when the link's queue is full (fleet_session_writable() is
	 * called once it is not); another errno when the link is dead (its end follows).
	 */
	int (*push)(void *link, const char *request_id, const struct rule *rule);
	int (*remove)(void *link, const char *request_id, const struct rule *rule);
	/* @n 0: all rules. */
	int (*stats_request)(void *link, uint64_t serial, const uint64_t *rule_ids, size_t n);
	int (*replay_done)(void *link, uint32_t count);
	/* Ends the stream for a reason; the session is gone already and must not be used again. */
	void (*close)(void *link, const char *reason);
};

/* What the edge said of itself; nothing is kept. */
struct fleet_hello {
	const char *client_version; /* NULL or "": not said */
	bool udp;
	const char *const *capabilities;
	size_t n_capabilities;
};

enum fleet_outcome { FLEET_ACTIVATED, FLEET_REFUSED, FLEET_REMOVED };

/*
 * A stream of an authenticated client. An earlier session of that client is closed. Returns NULL
 * for memory. Until fleet_session_hello() the client does not count as connected.
 */
struct session *fleet_session_begin(struct fleet *f, struct fleet_client *c,
				    const struct fleet_link_ops *ops, void *link,
				    const char *remote_addr);
/* After Welcome was sent: starts the replay of every rule. Once. */
void fleet_session_hello(struct session *s, const struct fleet_hello *h);
void fleet_session_status(struct session *s, const char *request_id, uint64_t rule_id,
			  enum fleet_outcome outcome, const char *reason);
/*
 * One report. @serial is that of the request it answers or 0; @epoch identifies the counters, 0
 * when the edge does not say. The rules' figures are copied.
 */
void fleet_session_report(struct session *s, uint64_t serial, uint64_t epoch,
			  const struct rule_figures *const *rules, size_t n);
/* The accounting mode, when an edge changes it after Hello. */
void fleet_session_accounting(struct session *s, const char *mode);
void fleet_session_writable(struct session *s);
void fleet_session_end(struct session *s);
struct fleet_client *fleet_session_client(const struct session *s);

#endif
