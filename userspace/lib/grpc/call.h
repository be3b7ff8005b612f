/* SPDX-License-Identifier: MIT */
/* Calls: what their owners ask for, and when and in which order their owners are told. */
#ifndef PORTUNUS_LIB_GRPC_CALL_H
#define PORTUNUS_LIB_GRPC_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/time.h>

#include "lib/grpc/grpc.h"
#include "lib/grpc/h2.h"

struct event;

TAILQ_HEAD(call_list, grpc_call);

/* The calls of one connection, and what they need of it. Part of the connection; loop thread only. */
struct call_set {
	struct grpc_conn *conn;
	struct h2 *h2;
	const struct grpc_limits *limits;
	struct event *kick; /* made active: a turn of the connection is due */
	/* Server: shows a new call to its handler. */
	void (*incoming)(struct grpc_conn *conn, struct grpc_call *call);
	struct call_list all;
	struct call_list ready; /* those with news for their owner */
	uint64_t idle_ns;	/* when the last call ended */
	bool dead;		/* the connection has ended: everything is delivered */
};

/* One call. Lives until `closed` was told, longer than its stream. */
struct grpc_call {
	TAILQ_ENTRY(grpc_call) all;
	TAILQ_ENTRY(grpc_call) ready;
	struct call_set *set;
	struct h2_stream s;
	const struct grpc_call_ops *ops;
	void *arg;
	size_t message_max;
	struct event *deadline; /* NULL: none was set */
	struct timeval span;	/* of the deadline */
	bool on_ready;
	bool fresh;    /* server: the owner has not seen it */
	bool accepted; /* server: HEADERS submitted */
	bool peer_told;
	bool paused;
	bool ended; /* no more stream: `closed` is due */
};

/* For h2_init(), with a struct call_set as its argument. */
extern const struct h2_stream_events h2call_events;

struct grpc_call *h2call_new(struct call_set *set);
/* The stream is gone; @status and @text count unless an answer is known already. */
void h2call_end(struct grpc_call *call, int status, const char *text);
/* No callbacks any more, whatever is due. */
void h2call_silence(struct grpc_call *call);
/* Makes the callbacks that are due; frees the call after the last. Only from the connection's turn. */
void h2call_deliver(struct grpc_call *call);
void h2call_destroy(struct grpc_call *call);

#endif
