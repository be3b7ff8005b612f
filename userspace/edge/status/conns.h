/* SPDX-License-Identifier: MIT */
/* The list of connections, gathered from the workers a share at a time so that relaying is never held up. */
#ifndef PORTUNUS_EDGE_STATUS_CONNS_H
#define PORTUNUS_EDGE_STATUS_CONNS_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/conn/core.h"
#include "edge/loop/mailbox.h"
#include "lib/base/addr.h"

struct target;
struct worker;

#define CONN_CHUNK_MAX 256 /* connections looked at in one turn of a worker */

/* One connection, as its worker saw it. */
struct conn_row {
	uint64_t rule_id;
	struct target *target; /* a reference, or NULL while it is dialling */
	int row;	       /* in its rule, -1 where the rule no longer has it */
	uint16_t listen_port;  /* that the client came by */
	uint32_t age_ms;
	union addr client, to;			 /* family AF_UNSPEC where unknown */
	uint64_t bytes_in, bytes_out;		 /* acknowledged by target and client */
	uint64_t unacked_client, unacked_target; /* bytes in the sockets' queues */
	uint32_t rtt_client_us, rtt_target_us;
	int path;					 /* enum path_reason */
	uint32_t retransmits_client, retransmits_target; /* segments */
};

/* A part of one worker's list. Filled on the worker's thread, used on the main thread otherwise. */
struct conn_chunk {
	struct job job;
	struct mailbox *home; /* the main thread's */
	struct worker *worker;
	void (*arrived)(struct conn_chunk *chunk); /* main thread */
	void *arg;				   /* the owner's */
	struct conn_cursor cursor;		   /* the worker's while @more */
	unsigned n;
	bool more; /* the worker has more of them */
	struct conn_row row[CONN_CHUNK_MAX];
};

/* Fills @chunk from its cursor on and calls arrived(). The rows' references are the caller's then. */
void conn_chunk_fetch(struct conn_chunk *chunk);
/* Gives back the rows' references. */
void conn_chunk_clear(struct conn_chunk *chunk);
/* Not while it is being filled. */
void conn_chunk_free(struct conn_chunk *chunk);

#endif
