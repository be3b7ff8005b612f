/* SPDX-License-Identifier: MIT */
/* The edge as a process: which program, how it is started, how it is recognised. */
#ifndef PORTUNUS_SERVER_RUN_EDGE_PROCESS_H
#define PORTUNUS_SERVER_RUN_EDGE_PROCESS_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Options for the edge beside --bundle and --instance, split at blanks; the unit's name for them. */
#define EDGE_OPTIONS_ENV "PORTUNUS_CLIENT_OPTIONS"
#define EDGE_OPTIONS_MAX 32

struct edge_program {
	char path[PATH_MAX];
};

/* Finds the program: @path if not NULL, beside this one, or in PATH. 0, or -errno with @why. */
int edge_process_find(const char *path, struct edge_program *out, char *why, size_t why_size);

/*
 * Starts an edge with that bundle in a session of its own, its log on our stderr. @mask: its signals'.
 * Returns its pid (a child of ours) or -errno. What keeps the exec from working shows as its exit status 127.
 */
pid_t edge_process_start(const struct edge_program *program, const char *bundle,
			 const char *instance, const sigset_t *mask);

/* Whether a process is an edge that was started with this bundle. */
bool edge_process_is_ours(pid_t pid, const char *bundle);

#endif
