/* SPDX-License-Identifier: MIT */
/* Relaying between two legs: what events and ends of one mean for the other. */
#ifndef PORTUNUS_EDGE_CONN_RELAYING_H
#define PORTUNUS_EDGE_CONN_RELAYING_H

#include <stdint.h>

struct conn;

/* A target is connected (c->target, c->fd[TARGET]); @events were seen on its socket. May close @c. */
void conn_relay_begin(struct conn *c, uint32_t events);

/* Events of a leg, CLIENT or TARGET, while relaying or while a RST is being passed on. May close @c. */
void conn_relay_event(struct conn *c, int leg, uint32_t events);

#endif
