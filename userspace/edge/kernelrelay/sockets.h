/* SPDX-License-Identifier: MIT */
/* The sockets of joined connections: made silent, asked for a sign of life of their peers, reset. */
#ifndef PORTUNUS_EDGE_KERNELRELAY_SOCKETS_H
#define PORTUNUS_EDGE_KERNELRELAY_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/relay.h"

/* Whether this process may put sockets into repair mode (CAP_NET_ADMIN, CONFIG_CHECKPOINT_RESTORE). */
bool relay_sockets_usable(void);

/* The tuple of a connected socket, and whether it is IPv6; 0 or -errno. */
int relay_socket_tuple(int fd, struct relay_tuple *k, bool *v6);

/*
 * From now on the socket says and takes nothing, and close() is silent. @filter_fd: the socket filter
 * that lets SYNs in alone. @lasts: it has a segment under way that it may have to repeat for long.
 */
void relay_socket_hush(int fd, int filter_fd, bool lasts);

/* Sends a segment that every living peer answers; the socket stays silent. */
void relay_socket_probe(int fd);

/* A silent socket in the place of one that is gone, so that its ports stay taken; or -errno. */
int relay_socket_remake(const struct relay_tuple *k, bool v6, uint32_t snd, uint32_t rcv,
			int filter_fd);

/*
 * Resets the peer of a tuple that no socket has any more: with a RST of @snd, which is the end of what
 * was sent to the peer, and with a probe, whose answer meets no socket and so gets a RST with exactly the
 * number that the peer believes (RFC 9293, 3.10.7.1).
 */
void relay_tuple_reset(const struct relay_tuple *k, bool v6, uint32_t snd, uint32_t rcv);

#endif
