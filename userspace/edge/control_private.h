/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_CONTROL_PRIVATE_H
#define PORTUNUS_EDGE_CONTROL_PRIVATE_H

/* Shared by control.c and control_link.c. */

#include "edge/control.h"
#include "lib/bundle.h"
#include "lib/enroll_uri.h"

#define CONTROL_TEXT_MAX 512

struct event;
struct grpc_call;
struct grpc_conn;
struct control_rules;
struct session;
struct stats_sender;

struct control {
	struct control_config config;
	struct bundle bundle;
	char host[ENROLL_HOST_MAX];
	uint16_t port;
	struct control_rules *rules;
	struct stats_sender *stats;
	struct event *retry, *welcome_timer;
	unsigned attempt;
	bool stopped, revoked, refused, connected;
	char server_version[64];
	char last_error[CONTROL_TEXT_MAX];
	uint64_t since_unix_ms;
	uint64_t hurried_ns; /* when a change of the network last cut a wait short */

	/* Of the connection; NULL while there is none. */
	struct grpc_conn *conn;
	struct grpc_call *call;
	struct session *session;
	int status; /* of the call that has ended */
	char status_text[CONTROL_TEXT_MAX];
};

/* The timers of the link. 0 or -ENOMEM. */
int control_link_init(struct control *c);
void control_link_free(struct control *c);

/* Connects, and stays at it: what fails is tried again later, until the channel is stopped. */
void control_connect(struct control *c);
/* Ends the connection at once. */
void control_disconnect(struct control *c);
/* Connects within this time instead of when it would have. */
void control_retry_within(struct control *c, uint32_t ms);
/* Ends the call for a reason of ours; the connection follows, and is tried again. */
void control_give_up(struct control *c, int status, const char *why);

#endif
