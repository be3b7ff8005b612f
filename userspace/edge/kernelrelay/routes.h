/* SPDX-License-Identifier: MIT */
/* By which interface a connection's packets leave, as the kernel's routes have it now. */
#ifndef PORTUNUS_EDGE_KERNELRELAY_ROUTES_H
#define PORTUNUS_EDGE_KERNELRELAY_ROUTES_H

#include <stdbool.h>

#include "bpf/relay.h"

struct relay_routes;

/* NULL with errno. */
struct relay_routes *relay_routes_open(void);
/* Of packets from k->local to k->peer: the interface's index, or -errno. */
int relay_routes_find(struct relay_routes *r, const struct relay_tuple *k, bool v6);
void relay_routes_close(struct relay_routes *r);

#endif
