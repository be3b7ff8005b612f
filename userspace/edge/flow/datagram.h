/* SPDX-License-Identifier: MIT */
/* Datagrams in batches: received with the address they were sent to, joined and split by the kernel. */
#ifndef PORTUNUS_EDGE_FLOW_DATAGRAM_H
#define PORTUNUS_EDGE_FLOW_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/base/addr.h"

#define DATAGRAM_BATCH	   32
#define DATAGRAM_BYTES_MAX 65535 /* of one buffer: a datagram, or several that were joined */

/*
 * One buffer: a datagram, or several of @segment bytes each (the last may be shorter) which UDP_GRO
 * joined and UDP_SEGMENT takes apart again (udp(7)). segment 0: one datagram of any length.
 */
struct datagram {
	const uint8_t *data;
	size_t len;
	uint16_t segment;
};

static inline unsigned datagram_count(const struct datagram *d)
{
	return d->segment && d->len ? (unsigned)((d->len + d->segment - 1) / d->segment) : 1;
}

/* Room for what a message carries beside its bytes: its local address and the size of its segments. */
union datagram_control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
};

/* Buffers of one worker, filled anew by each batch_receive(). Owned by its thread. */
struct datagram_batch {
	struct mmsghdr in[DATAGRAM_BATCH], out[DATAGRAM_BATCH];
	struct iovec iov[DATAGRAM_BATCH];
	union addr from[DATAGRAM_BATCH];
	union datagram_control control[DATAGRAM_BATCH], out_control[DATAGRAM_BATCH];
	struct datagram got[DATAGRAM_BATCH];
	struct in6_addr local[DATAGRAM_BATCH]; /* where each was sent to; IPv4 as mapped */
	uint8_t *data;			       /* DATAGRAM_BATCH * DATAGRAM_BYTES_MAX */
};

/* 0 or -ENOMEM. */
int batch_init(struct datagram_batch *b);
void batch_free(struct datagram_batch *b);

/* Receives what waits, at most DATAGRAM_BATCH buffers. Their number, or -errno (-EAGAIN: nothing). */
int batch_receive(struct datagram_batch *b, int fd);

/* Where a reply of an unconnected socket goes, and the local address that it leaves from. */
struct datagram_route {
	const union addr *to;
	const struct in6_addr *from; /* IPv4 as mapped */
};

/* What became of a batch. @err: 0, or the errno at which the socket refused buffer @done. */
struct datagram_sent {
	uint64_t bytes;
	unsigned datagrams, dropped, done;
	int err;
};

/*
 * Sends buffers @first .. @first + @n - 1 of the batch, by @route or, NULL, to where @fd is connected.
 * What a full queue does not take, or what is too large for the way, is dropped and counted, as UDP
 * does; any other error stops the batch.
 */
struct datagram_sent batch_send(struct datagram_batch *b, unsigned first, unsigned n, int fd,
				const struct datagram_route *route);

/* The same for one buffer that is no part of a batch, on a connected socket. */
struct datagram_sent datagram_send(int fd, const struct datagram *d);

/*
 * Empties the error queue of a connected socket that has IP_RECVERR. Returns the errno of an ICMP error,
 * which is the target's, or 0: errors of this host, such as a datagram that is too large, are no news
 * of the target.
 */
int datagram_icmp_error(int fd);

/* Has @fd queue the errors of its way with their origin, and joined datagrams come joined. */
void datagram_set_connected(int fd, int family);

/* Has @fd say where datagrams were sent to, and joined ones wherever the kernel can. */
void datagram_set_receiving(int fd, int family);

#endif
