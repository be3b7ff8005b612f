/* SPDX-License-Identifier: MIT */
/* A port's datagrams: from clients to the targets of their flows, and back from the address asked. */
#ifndef PORTUNUS_EDGE_FLOW_RELAYING_H
#define PORTUNUS_EDGE_FLOW_RELAYING_H

struct flow_socket;

/* Relays one batch of what clients have sent to the socket's port. Worker's thread. */
void flow_relay_clients(struct flow_socket *s);

#endif
