/* SPDX-License-Identifier: MIT */
/* The fleet as a whole: its making and end, and who hears what a session says. */
#ifndef PORTUNUS_SERVER_FLEET_FLEET_H
#define PORTUNUS_SERVER_FLEET_FLEET_H

#include "server/fleet/clients.h"
#include "server/fleet/load.h"
#include "server/fleet/push.h"
#include "server/fleet/stats.h"

#define FLEET_RANGE_PORTS_MAX 1024

/*
 * The clients, their rules and their sessions: what the API reads and changes. Everything runs in
 * the loop's thread. A change is in the store before the callback that completes it says so.
 */
struct fleet *fleet_new(struct event_base *base, struct store *store);
/* How many ports a rule may have from now on; FLEET_RANGE_PORTS_MAX before. */
void fleet_limit_ranges(struct fleet *f, unsigned most);
/* Closes every session, flushes and frees. Waiting operators get ack_timeout. */
void fleet_free(struct fleet *f);

/* Writes what is queued of the history, before that is read with store_events(): see history_flush(). */
bool fleet_history_flush(struct fleet *f, store_done done, void *arg);

/*
 * A stream of an authenticated client. An earlier session of that client is closed. Returns NULL
 * for memory. Until fleet_session_hello() the client does not count as connected.
 */
struct session *fleet_session_begin(struct fleet *f, struct fleet_client *c,
				    const struct fleet_link_ops *ops, void *link,
				    const char *remote_addr);

#endif
