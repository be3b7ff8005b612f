/* SPDX-License-Identifier: MIT */
/* The TCP ports of this network namespace at which somebody listens. */
#ifndef PORTUNUS_EDGE_WORKER_HEARD_H
#define PORTUNUS_EDGE_WORKER_HEARD_H

#include <stdbool.h>
#include <stdint.h>

/* A bit for each port. All zero: not read yet. */
struct heard {
	bool known;
	uint64_t ports[65536 / 64];
};

/*
 * Whether somebody listens at @port, whichever the address. bind(2) also refuses a port that is no more
 * than the local one of an outgoing connection, or was until a minute ago. The kernel's list is read with
 * the first question; where it cannot be read the answer is yes. Main thread.
 */
bool heard_at(struct heard *h, uint16_t port);

#endif
