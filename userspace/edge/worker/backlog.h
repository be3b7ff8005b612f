/* SPDX-License-Identifier: MIT */
/* The clients that wait in the queue of a listening socket when it is closed. */
#ifndef PORTUNUS_EDGE_WORKER_BACKLOG_H
#define PORTUNUS_EDGE_WORKER_BACKLOG_H

#include <stdint.h>

struct listener_env;
struct service;
struct sni_table;

/*
 * Accepts what waits on @fd (@port as of accept_client()), a listening socket that is about to be closed,
 * or to serve in another way: closing it would reset those clients. They are taken over at once and begun
 * a share per turn, by @sni unless that is NULL, else for @service. Takes no more than a queue can hold,
 * so a flood cannot keep the worker here. Worker's thread, like the other.
 */
void backlog_take(struct listener_env *env, int fd, struct service *service, struct sni_table *sni,
		  uint16_t port, uint64_t expected_slot);

/* Resets those that are not dialled yet: the worker stops. */
void backlog_drop_all(struct listener_env *env);

#endif
