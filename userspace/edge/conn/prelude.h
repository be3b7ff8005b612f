/* SPDX-License-Identifier: MIT */
/* What a target is told before the client's first byte: the header of the PROXY protocol. */
#ifndef PORTUNUS_EDGE_CONN_PRELUDE_H
#define PORTUNUS_EDGE_CONN_PRELUDE_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/conn/proxy_header.h"
#include "lib/base/addr.h"

struct conn_peer;
struct rule;

/* Who speaks to whom, as of the walk's beginning: a socket that was reset knows it no longer. */
struct prelude {
	union addr client, local;
	uint8_t id[PROXY_ID_BYTES]; /* of the connection, where a target wants to know one */
};

/* Asks the client's socket, if a target of the rule wants to know. @announced, where not NULL, knows better. */
void prelude_begin(struct prelude *p, const struct rule *rule, int client_fd,
		   const struct conn_peer *announced);

/* How many bytes the target in that row gets; 0: none. Always the same for one connection. */
uint8_t prelude_len(const struct prelude *p, const struct rule *rule, unsigned row);

/*
 * Sends them on @fd, which has just been connected: together with the client's first bytes, when such
 * are there, or were read already (@follows), else at once, since a server that speaks first waits for the header. Returns 1 when the client's
 * bytes follow, 0 when there are none yet, or -errno when the target has ended the connection already.
 */
int prelude_send(const struct prelude *p, const struct rule *rule, unsigned row, bool follows,
		 int fd);

#endif
