/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_LISTENER_H
#define PORTUNUS_EDGE_LISTENER_H

#include "edge/loop.h"

struct account;
struct rule;
struct service;
struct worker;

/* A listening socket of one worker. Owned by its thread. */
struct listener {
	struct io io;
	struct worker *worker;
	struct service *service; /* the version of the rule that new connections get */
	struct listener *next, **prev;
	struct timer resume;	/* after accepting was paused */
	uint64_t expected_slot; /* of accounting: what its connections are tagged with from birth */
	int fd;
};

/*
 * Opens @n listening sockets for a rule: dual-stack, or for its listen_address. That a port is in use
 * is found out first, which SO_REUSEPORT alone would hide. Every socket is tagged for accounting
 * before it listens. Returns 0 with the fds, the caller's, in @fds; or -errno (EADDRINUSE, EACCES,
 * EADDRNOTAVAIL, EMFILE, …) with none open. Main thread.
 */
int listener_bind(const struct rule *rule, struct account *account, uint64_t unassigned_slot,
		  uint64_t expected_slot, int *fds, unsigned n);

/* Starts accepting on @fd, which it takes over, as it does a reference of @service. NULL (and the fd
 * closed) without memory. Worker's thread, as the following. */
struct listener *listener_new(struct worker *w, int fd, struct service *service,
			      uint64_t expected_slot);

/* New connections get another version of the rule; takes over its reference. */
void listener_set_service(struct listener *l, struct service *service);

/* Accepts what waits in the queue already, then closes. */
void listener_close(struct listener *l);

#endif
