/* SPDX-License-Identifier: MIT */
/* The hand-over: when a connection may leave user space, and the tries to do it. */
#ifndef PORTUNUS_EDGE_KERNELRELAY_HANDOVER_H
#define PORTUNUS_EDGE_KERNELRELAY_HANDOVER_H

struct conn;
struct conn_kernel;

/* The conn's hook: nothing is to be done for @c at the moment. */
void relay_offer(struct conn_kernel *hooks, struct conn *c);

#endif
