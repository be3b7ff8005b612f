/* SPDX-License-Identifier: MIT */
/* Putting the edge's parts together, and taking them apart again. */
#ifndef PORTUNUS_EDGE_START_H
#define PORTUNUS_EDGE_START_H

struct program;

/*
 * Starts every part of an edge whose options, rules or bundle, and run directory are known. 0 or
 * -errno; then program_stop() takes apart what there is. Main thread.
 */
int program_start(struct program *p);

/* In the order that lets nothing be used after it is gone. */
void program_stop(struct program *p);

#endif
