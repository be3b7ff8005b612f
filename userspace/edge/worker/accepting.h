/* SPDX-License-Identifier: MIT */
/* Accepting one client, and refusing one that may not come or comes round in a circle. */
#ifndef PORTUNUS_EDGE_WORKER_ACCEPTING_H
#define PORTUNUS_EDGE_WORKER_ACCEPTING_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/queue.h>

struct accepted;
struct backlog;
struct conn_env;
struct hops;
struct listener;
struct loop;
struct service;
struct sni_table;

/* What the listening sockets of one worker share. Owned by its thread. */
struct listener_env {
	struct loop *loop;
	struct conn_env *conns;
	struct hops *hops;
	LIST_HEAD(, listener) all;
	LIST_HEAD(, backlog) backlogs; /* of listeners that are closed */
	unsigned worker;	       /* its index, for the log */
	unsigned fd_pause_at;	       /* accepted fds from here on pause accepting */
	uint64_t turn_ns;	       /* the turn that @share is left of */
	unsigned share;		       /* clients that may be accepted in this turn yet */
	atomic_ullong pauses;	       /* read by others */
};

/*
 * Accepts one client of @service from @fd. @port is the one that it has come by; 0: its socket is asked.
 * Returns 0 while there may be more, with @out->fd -1 where it was none or was refused: the rule does
 * not let it in, or its bytes have run through too many rules of this edge. Else an errno. With @sni the
 * rule is not known yet, and so not whom it lets in.
 */
int accept_client(struct listener_env *env, int fd, const struct service *service,
		  const struct sni_table *sni, uint16_t port, struct accepted *out);

/* Hands an accepted client over to whoever has to hear it first: for a server's name, for a balancer's header. */
void client_begin(struct listener_env *env, struct service *service, struct sni_table *sni,
		  const struct accepted *client, uint64_t expected_slot);

#endif
