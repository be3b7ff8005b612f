/* SPDX-License-Identifier: MIT */
/* Which connections are this edge's own, so that one which runs in a circle is seen. */
#ifndef PORTUNUS_EDGE_TARGET_HOPS_H
#define PORTUNUS_EDGE_TARGET_HOPS_H

#include <stdint.h>

#include "lib/base/addr.h"

/* A client's connection may pass so many rules of this edge, one behind the other, before it counts as
 * running in a circle. */
#define HOPS_MAX 5

/*
 * The ports that this edge's own upstream connections come from, each with the number of rules that
 * its client's bytes have passed. A connection that is accepted from one of them has come back. Shared
 * by all workers, without a lock.
 */
struct hops;

/* NULL without memory. */
struct hops *hops_new(void);
void hops_free(struct hops *h);

/* The edge has one more, or one less, socket that listens on @port. Any thread. */
void hops_listen(struct hops *h, uint16_t port, int more);

/* @fd has just begun to connect to @to; @passed rules lie behind it, its own included. Any thread. */
void hops_note(struct hops *h, int fd, const union addr *to, unsigned passed, uint64_t now_ns);

/* How many rules the connection has passed that was accepted as @fd from @peer: 0 unless it is one of
 * ours. Any thread. */
unsigned hops_passed(const struct hops *h, int fd, const union addr *peer, uint64_t now_ns);

#endif
