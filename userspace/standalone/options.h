/* SPDX-License-Identifier: MIT */
/* The command line of portunus-standalone. */
#ifndef PORTUNUS_STANDALONE_OPTIONS_H
#define PORTUNUS_STANDALONE_OPTIONS_H

#include <stdbool.h>

#include "edge/options.h"

/* Strings point into argv, to the environment, or to static text. */
struct standalone_options {
	const char *config;	  /* the file: --config, or the first of the usual places */
	const char *log_level;	  /* NULL: the file's */
	const char *log_format;	  /* NULL: the file's */
	const char *stats_socket; /* NULL: the file's */
	bool no_stats, check, bind, print_rules;
	struct options edge; /* what the edge is started with */
};

/*
 * Reads the command line. Returns -1 to go on, else the status to exit with: 0 after --help and --version, 2 after a
 * usage error, which is on stderr.
 */
int standalone_options_parse(int argc, char **argv, struct standalone_options *o);

#endif
