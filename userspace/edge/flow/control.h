/* SPDX-License-Identifier: MIT */
/* What the kernel says beside a datagram: where it was sent to, its segments, an error of its way. */
#ifndef PORTUNUS_EDGE_FLOW_CONTROL_H
#define PORTUNUS_EDGE_FLOW_CONTROL_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * Reads the control messages of a datagram: the local address that it was sent to (IPv4 as mapped), and
 * the size of the segments it was joined of. What is not said stays as it is; a message that was
 * cut off (MSG_CTRUNC) says nothing. Pure.
 */
void control_read(struct msghdr *m, struct in6_addr *local, uint16_t *segment);

/*
 * Reads a message of a socket's error queue. Returns the errno of an ICMP error, or 0: an error of this
 * host, or a datagram that is too large for the way, is no news of the target. Pure.
 */
int control_icmp_error(struct msghdr *m);

#endif
