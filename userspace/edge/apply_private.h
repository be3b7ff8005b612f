/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_APPLY_PRIVATE_H
#define PORTUNUS_EDGE_APPLY_PRIVATE_H

/* Shared by apply.c and apply_listen.c. */

#include <event2/util.h>

#include "edge/apply.h"
#include "edge/mailbox.h"

#define BUCKETS 4096 /* ids are dense: the table stays flat up to some ten thousand rules */

struct edge {
	struct edge_config config;
	struct mailbox mailbox; /* from the workers */
	struct event *mail;
	struct target_watch watch;
	size_t n;
	bool closing;
	bool stopped;		 /* listening: nothing opens a port any more */
	struct leaving *leaving; /* removed rules whose connections drain */
	bool one_socket;	 /* a port gets one socket: there are too many for one per worker */
	unsigned next_worker;
	struct rule_state *bucket[BUCKETS];
};

/* Binds and hands the sockets to the workers; a bind that fails is retried by itself. */
void apply_start_listening(struct rule_state *rs);
/* Asks the workers to close; the port is free after the next barrier. */
void apply_stop_listening(struct rule_state *rs);
/* The callback of rule_state.retry. */
void apply_retry(evutil_socket_t fd, short what, void *arg);

#endif
