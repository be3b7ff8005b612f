/* SPDX-License-Identifier: MIT */
/* The two legs of a connection: what their events and their sockets say. */
#ifndef PORTUNUS_EDGE_CONN_LEGS_H
#define PORTUNUS_EDGE_CONN_LEGS_H

#include <stdint.h>

struct conn;

/* Bytes in a leg's socket that its peer has not acknowledged yet, the unsent included (tcp(7)). */
uint32_t conn_unacknowledged(const struct conn *c, int leg);

/* How large a segment the client's path takes, its options included; 0 where the kernel cannot say. */
uint16_t conn_client_mss(const struct conn *c);

/* Of what @leg sent, how much has arrived at the other leg's peer (modulo 2^32). A socket becomes
 * writable again only when a third of its buffer is free, so writes are no measure of progress. */
uint32_t conn_delivered(const struct conn *c, int leg);

/* Notes what @events (epoll(7)) of a leg mean for both directions. */
void conn_note_events(struct conn *c, int leg, uint32_t events);

/* @leg was reset: what it had sent is still to be read, and its progress is watched from now on. */
void conn_mark_reset(struct conn *c, int leg);

#endif
