/* SPDX-License-Identifier: MIT */
/* The walk over a rule's targets: who is dialled when, and who wins. */
#ifndef PORTUNUS_EDGE_CONN_WALK_H
#define PORTUNUS_EDGE_CONN_WALK_H

#include <stdint.h>

struct conn;
struct conn_env;
struct conn_peer;

/* Before any walk of @env, and after the last one. */
void conn_walks_init(struct conn_env *env);
void conn_walks_close(struct conn_env *env);

/*
 * Dials the targets of @c's rule until one connects; then the relaying begins. @expected_slot is what
 * the client's socket was tagged with for accounting; @peer what is known of the client, or NULL,
 * which the connection takes over; @header: so many bytes of a balancer, seen and not read yet, precede the
 * client's. May close @c.
 */
void conn_walk_begin(struct conn *c, uint64_t expected_slot, struct conn_peer *peer,
		     unsigned header);

/* What is known of the client beside its socket, or NULL. */
const struct conn_peer *conn_peer_of(const struct conn *c);

/* An event of a dial's slot while @c is dialling. */
void conn_walk_event(struct conn *c, unsigned slot, uint32_t events);

/* The client's first bytes are there, or its FIN, while @c is dialling. May close @c. */
void conn_walk_client_spoke(struct conn *c);

/* Lets dials that wait for a hedge look at the targets again: one has changed its health. */
void conn_health_changed(struct conn_env *env);

#endif
