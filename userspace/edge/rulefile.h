/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_RULEFILE_H
#define PORTUNUS_EDGE_RULEFILE_H

struct edge;

/* Reads the file and says on stderr what is wrong with it. 0 or -errno. */
int rulefile_check(const char *path);

/* Makes the file's rules those in force. A bad file changes nothing; the log says why. Main thread. */
void rulefile_apply(const char *path, struct edge *e);

#endif
