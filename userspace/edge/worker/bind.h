/* SPDX-License-Identifier: MIT */
/* Opening listening sockets: both families, one per worker, and an honest answer to "in use". */
#ifndef PORTUNUS_EDGE_WORKER_BIND_H
#define PORTUNUS_EDGE_WORKER_BIND_H

#include <stdint.h>

struct account;
struct rule;
struct selector;

/* The kernel caps it at net.core.somaxconn. */
#define LISTEN_BACKLOG 4096

/* What listening sockets are tagged with for accounting. */
struct listener_tag {
	uint64_t rule_id, unassigned_slot, expected_slot;
};

/* One socket that listens. */
struct listening {
	int fd;
	int select_error; /* of the first: why the hash chooses for this group */
	int tag_error;	  /* why it is not tagged; 0 when it is */
	uint16_t port;
	uint64_t slot; /* what its connections are tagged with; ACCOUNT_SLOT_UNTAGGED: nothing */
};

/* What the sockets are for. */
struct bind_want {
	const struct rule *rule;
	struct account *account;
	uint64_t unassigned_slot, expected_slot;
	const struct selector *selector; /* chooses among the sockets of one port; may be NULL */
};

/*
 * Opens @n listening sockets for @port of a rule: dual-stack, or for its listen_address. That a port is
 * in use is found out first, which SO_REUSEPORT alone would hide. Every socket is tagged for accounting
 * before it listens. Returns 0 with the sockets, the caller's, in @out; or -errno (EADDRINUSE, EACCES,
 * EADDRNOTAVAIL, EMFILE, …) with none open. Main thread.
 */
int listener_bind(const struct bind_want *want, uint16_t port, struct listening *out, unsigned n);

/* Whether the rule could have @port: 0, or the -errno of listener_bind(). Leaves nothing open. */
int listener_probe(const struct rule *rule, uint16_t port);

#endif
