/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_RULEFILE_H
#define PORTUNUS_EDGE_RULEFILE_H

#include <stddef.h>

struct edge;
struct rule;

/* What was read of a file. All zero: nothing. */
struct rulefile {
	struct rule **rules;
	size_t n;
};

/* Reads the file; says on stderr what is wrong with it. 0 or -errno. */
int rulefile_read(const char *path, struct rulefile *f);
void rulefile_free(struct rulefile *f);

/* Makes what was read the rules in force, and frees it. Main thread. */
void rulefile_apply(const char *path, struct rulefile *f, struct edge *e);

/* Reads the file again. A bad one changes nothing; the log says why. Main thread. */
void rulefile_reload(const char *path, struct edge *e);

#endif
