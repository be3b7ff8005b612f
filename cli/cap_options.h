/* SPDX-License-Identifier: MIT */
/* The options that make an envelope of caps. */
#ifndef PORTUNUS_CLI_CAP_OPTIONS_H
#define PORTUNUS_CLI_CAP_OPTIONS_H

#include <jansson.h>

#include "cli/args.h"

/* The options of a verb that takes caps, in its table. */
#define OPTS_CAPS                                                                              \
	{"bandwidth-in-bps", "N[K|M|G|T]",                                                     \
	 "bytes a second from clients to targets, all connections together"},                  \
		{"bandwidth-out-bps", "N[K|M|G|T]", "bytes a second from targets to clients"}, \
		{"bandwidth-in-burst", "N[K|M|G|T]",                                           \
		 "bytes that may come at once (a second's worth)"},                            \
		{"bandwidth-out-burst", "N[K|M|G|T]", "the same towards clients"},             \
		{"new-connections-per-sec", "N", "connections and UDP flows that begin"},      \
		{"new-connections-burst", "N", "that may begin at once (a second's worth)"},   \
	{                                                                                      \
		"concurrent-connections", "N", "connections and UDP flows that are open"       \
	}

/*
 * Puts the caps that were given into @limit, and takes out those given empty; *@n (may be NULL) is the
 * number of the first. K, M, G and T are powers of 1024. 0, or the exit code after an error was printed.
 */
int cap_options(const struct cli_args *a, json_t *limit, unsigned *n);
/* Whether any was given. */
bool cap_options_given(const struct cli_args *a);

#endif
