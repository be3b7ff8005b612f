/* SPDX-License-Identifier: MIT */
/* The way in: an accepted socket becomes a connection, and its events go to the part in charge. */
#ifndef PORTUNUS_EDGE_CONN_ACCEPT_H
#define PORTUNUS_EDGE_CONN_ACCEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/addr.h"

struct conn_env;
struct leftover;
struct service;

/* A client's socket, the port it came by (0: the only one), and how many rules of this edge its bytes have
 * passed before. */
struct accepted {
	int fd;
	uint16_t port;
	uint8_t hops;
	union addr peer;
};

/* A client whose rule was found by what it said first. */
struct routed {
	struct accepted from;
	uint8_t match;	       /* enum sni_match */
	bool watched;	       /* the loop knows the socket already */
	struct leftover *said; /* what was read of it, for its target; NULL: nothing */
	uint64_t expected_slot;
};

/* What a balancer's header says of the connection it sends. */
struct announced {
	union addr client, local;
	uint16_t len; /* of the header, which is still to be read */
	bool known;   /* it names the two; else they are the balancer's own */
};

/* 0 or -ENOMEM. The caller has filled in what the connections use: loop, account, dials' environment. */
int conn_env_init(struct conn_env *env);
/* After the last connection has ended and the loop has freed what was deferred. */
void conn_env_close(struct conn_env *env);

/*
 * Takes over an accepted, non-blocking socket and dials the rule's targets. @expected_slot is what
 * its listener was tagged with. Worker's thread.
 */
void conn_new(struct conn_env *env, struct service *service, const struct accepted *client,
	      uint64_t expected_slot);

/* The same for one that was read from already. Takes over its socket and what it has said. */
void conn_routed(struct conn_env *env, struct service *service, const struct routed *client);

/* The same for one behind a balancer's header, NULL for none; @watched: the loop knows the socket already. */
void conn_begin(struct conn_env *env, struct service *service, const struct accepted *client,
		uint64_t expected_slot, const struct announced *said, bool watched);

#endif
