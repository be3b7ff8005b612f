/* SPDX-License-Identifier: MIT */
/* The firewall's memory of connections: entries whose end it cannot see are taken out. */
#ifndef PORTUNUS_EDGE_KERNELRELAY_CONNTRACK_H
#define PORTUNUS_EDGE_KERNELRELAY_CONNTRACK_H

#include <stdbool.h>

#include "bpf/relay.h"

struct relay_conntrack;

/* NULL where no connection is tracked (now), or it cannot be asked. */
struct relay_conntrack *relay_conntrack_open(void);
/* @inwards: the peer has opened the connection. Waits for nothing. */
void relay_conntrack_forget(struct relay_conntrack *c, const struct relay_tuple *k, bool inwards,
			    bool v6);
void relay_conntrack_close(struct relay_conntrack *c);

#endif
