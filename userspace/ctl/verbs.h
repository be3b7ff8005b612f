/* SPDX-License-Identifier: MIT */
/* The verbs of portunus-client: one table, their command lines and their help. */
#ifndef PORTUNUS_CTL_VERBS_H
#define PORTUNUS_CTL_VERBS_H

struct verb;

/* The verb of that name (stats, connections, flows, status, top, metrics, drain, undrain, enroll, unpin), or NULL. */
const struct verb *verb_find(const char *name);

/*
 * Runs it; argv[0] is the verb's name. Returns the exit status: 0 done, 1 error, 2 usage. Results
 * go to stdout, errors to stderr. Asks the daemon over its status socket; starts no thread.
 */
int verb_run(const struct verb *v, int argc, char **argv);

#endif
