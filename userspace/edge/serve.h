/* SPDX-License-Identifier: MIT */
/* Serving as an edge, from the rules to the end of the process. */
#ifndef PORTUNUS_EDGE_SERVE_H
#define PORTUNUS_EDGE_SERVE_H

struct edge_role;
struct program;

/*
 * Serves with the options of @p until a signal ends it, as the program that @role says. Returns the status to
 * exit with. Main thread, the only one so far.
 */
int edge_serve(struct program *p, const struct edge_role *role);

#endif
