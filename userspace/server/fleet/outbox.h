/* SPDX-License-Identifier: MIT */
/* The two queues of messages to an edge. */
#ifndef PORTUNUS_SERVER_FLEET_OUTBOX_H
#define PORTUNUS_SERVER_FLEET_OUTBOX_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct fleet;
struct fleet_client;
struct rate_limit;
struct rule;

struct outbox_credential {
	char pin_hex[65], next_pin_hex[65];
	char token[64];
};

/*
 * What carries a control stream gives these operations. The fleet never calls one of them from
 * inside a fleet_session_*() call after fleet_session_end().
 */
struct fleet_link_ops {
	/*
	 * Send a message. 0; -EAGAIN when the link's queue is full (fleet_session_writable() is
	 * called once it is not); another errno when the link is dead (its end follows).
	 */
	int (*push)(void *link, const char *request_id, const struct rule *rule);
	int (*remove)(void *link, const char *request_id, const struct rule *rule);
	/* @n 0: all rules. */
	int (*stats_request)(void *link, uint64_t serial, bool per_port, const uint64_t *rule_ids,
			     size_t n);
	int (*replay_done)(void *link, uint32_t count);
	/* The caps of an owner over all rules of that client; NULL: there are none any more. */
	int (*owner_caps)(void *link, const struct fleet_client *c, const char *owner,
			  const struct rate_limit *limit);
	/*
	 * What the edge's bundle is to have: the pin of the certificate that is served, that of the next
	 * one ("": none; both "": unchanged), and a token ("": unchanged). Only to those who can.
	 */
	int (*credential)(void *link, uint64_t serial, const struct outbox_credential *c);
	/* New connections of the rule go to its best target again. Only to those who can. */
	int (*failback)(void *link, uint64_t rule_id);
	/* Asks for the flows of a rule. Only those who can; NULL: this link cannot. */
	int (*flow_list_request)(void *link, uint64_t serial, uint64_t rule_id);
	/* Ends the stream for a reason; the session is gone already and must not be used again. */
	void (*close)(void *link, const char *reason);
};

/*
 * The messages that wait for room in a link's queue: what operators do before the replay, which is never
 * the last to speak of a rule. Part of a session. The functions that send return 0 also when the message
 * waits, or -errno.
 */
struct outgoing;
struct outbox {
	struct fleet *fleet;
	const struct fleet_link_ops *ops;
	void *link;
	struct fleet_client *client;
	STAILQ_HEAD(outgoing_queue, outgoing) urgent, bulk;
};

void outbox_init(struct outbox *o, struct fleet *f, struct fleet_client *c,
		 const struct fleet_link_ops *ops, void *link);
void outbox_free(struct outbox *o);
/* Sends what the link takes. */
int outbox_drain(struct outbox *o);

/*
 * Of a push only the ids are kept: what is sent is the rule's update if that has the @request_id at the
 * moment of sending, else the rule. What the replay has yet to say of the rule goes before it.
 */
int outbox_send_push(struct outbox *o, const char *request_id, uint64_t rule_id);
int outbox_send_remove(struct outbox *o, const struct rule *rule);
/* @n 0: all rules. */
int outbox_send_stats_request(struct outbox *o, uint64_t serial, bool per_port,
			      const uint64_t *rule_ids, size_t n);
int outbox_send_credential(struct outbox *o, uint64_t serial, const struct outbox_credential *c);
int outbox_send_flow_list_request(struct outbox *o, uint64_t serial, uint64_t rule_id);
int outbox_send_failback(struct outbox *o, uint64_t rule_id);
/* What is sent is the owner's envelope at the moment of sending. */
int outbox_send_owner(struct outbox *o, const char *owner);
/* These wait for the next outbox_drain(). 0 or -ENOMEM. */
int outbox_queue_owner(struct outbox *o, const char *owner);
int outbox_queue_replay(struct outbox *o, uint64_t rule_id, const char *request_id);
int outbox_queue_replay_done(struct outbox *o, uint32_t count);

#endif
