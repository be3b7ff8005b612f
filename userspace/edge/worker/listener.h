/* SPDX-License-Identifier: MIT */
/* Accepting: level-triggered, a bounded share per turn, paused while file descriptors run short. */
#ifndef PORTUNUS_EDGE_WORKER_LISTENER_H
#define PORTUNUS_EDGE_WORKER_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "edge/loop/loop.h"

struct listener_env;
struct listening;
struct listener_tag;
struct service;
struct sni_table;

/* A listening socket of one worker. Owned by its thread. */
struct listener {
	struct io io;
	struct listener_env *env;
	struct service *service; /* the version of the rule that new connections get */
	struct sni_table *sni;	 /* … or which rule is theirs; NULL: always that one */
	LIST_ENTRY(listener) entry;
	LIST_ENTRY(listener) sibling; /* among those of the same rule */
	struct timer resume;	      /* after accepting was paused */
	uint64_t paused_ns;	      /* since when it is; 0: it is not */
	bool shedding;
	uint64_t expected_slot; /* of accounting: struct listening */
	int fd;
	uint16_t bound; /* the port that it is bound to */
	uint16_t port;	/* that all its clients come by; 0: they may come by several */
};

/* Starts accepting on a socket, which it takes over, as it does a reference of @service and of @sni (may be
 * NULL). NULL (and the socket closed) without memory. Worker's thread, as the following. */
struct listener *listener_new(struct listener_env *env, const struct listening *of,
			      struct service *service, struct sni_table *sni);

/* New connections get another version of the rule; takes over its reference. */
void listener_set_service(struct listener *l, struct service *service);

/*
 * New connections get their rule by another table, or all (@sni NULL) that of @service; takes over both
 * references. Where it was the other way before, @tag is what the socket is tagged with from now on, and
 * the clients that wait already are served without being asked for a name, as when they came or as they
 * are to be.
 */
void listener_set_sni(struct listener *l, struct service *service, struct sni_table *sni,
		      const struct listener_tag *tag);

/* Accepts what waits in the queue already (dialled over the next turns), then closes. */
void listener_close(struct listener *l);

#endif
