/* SPDX-License-Identifier: MIT */
/* What differs between the programs that serve as an edge. */
#ifndef PORTUNUS_EDGE_ROLE_H
#define PORTUNUS_EDGE_ROLE_H

#include <stdbool.h>

#include "edge/rules/file.h"

struct program;

/* The functions run on the main thread, but for those of .source. */
struct edge_role {
	const char *name; /* of the program, in messages */
	/* Serves an ordinary user, who pins nothing that a lock has to keep apart, also without a run directory. */
	bool lock_optional;
	/* Whose rules to serve, before anything is touched: -1 to go on, or the status to exit with. */
	int (*find_rules)(struct program *p);
	struct rulefile_source source; /* of a rules file, where there is one */
	/* Everything runs and every port was tried. -1 to go on, or the status to exit with. May be NULL. */
	int (*begun)(struct program *p, void *arg);
	/* Called before the parts of the edge go, begun or not. May be NULL. */
	void (*ending)(void *arg);
	void *arg;
};

#endif
