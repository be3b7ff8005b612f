/* SPDX-License-Identifier: MIT */
/* The process was moved to another cgroup: the programs follow, and it is said. */
#ifndef PORTUNUS_EDGE_ACCOUNT_MOVED_H
#define PORTUNUS_EDGE_ACCOUNT_MOVED_H

#include <stdbool.h>
#include <stddef.h>

struct account_kernel;
struct account_pins;

/* What is known of moves so far. */
struct account_move {
	int error; /* of the last attempt to follow; 0: none or done */
};

/* Follows the process into another cgroup. Returns whether there is news, which are logged, and in @why. */
bool account_moved(struct account_move *m, struct account_kernel *k,
		   const struct account_pins *pins, char *why, size_t size);

#endif
