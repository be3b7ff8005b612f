/* SPDX-License-Identifier: MIT */
/* Idle connections: how long nothing may move, and what counts as moving. */
#ifndef PORTUNUS_EDGE_CONN_IDLE_H
#define PORTUNUS_EDGE_CONN_IDLE_H

struct conn;

/*
 * Ends a relaying connection if nothing has moved for as long as its rule allows (idle_timeout_secs,
 * half_close_timeout_secs); else sets its timer to when that may be so. Nothing to do: no timer.
 */
void conn_watch_idle(struct conn *c);

/* A FIN has just been passed on, and the other direction goes on. Closes nothing. */
void conn_half_closed(struct conn *c);

#endif
