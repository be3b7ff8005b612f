/* SPDX-License-Identifier: MIT */
/* The verb stats: what a running portunus-standalone does, once or on a terminal. */
#ifndef PORTUNUS_STANDALONE_STATS_H
#define PORTUNUS_STANDALONE_STATS_H

/* argv[0] is the verb. Returns the status to exit with. */
int stats_run(int argc, char **argv);

#endif
