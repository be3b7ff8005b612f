/* SPDX-License-Identifier: MIT */
/* The table of verbs: names, arguments, options and help of each; and what runs them. */
#ifndef PORTUNUS_CLI_CLI_H
#define PORTUNUS_CLI_CLI_H

#include "cli/host.h"

/*
 * The command line of portunus-server: one table of verbs, of which all but `serve` and `init` use the API.
 * Returns the exit code of the program.
 */
int cli_main(int argc, char **argv, const struct cli_host *host);

#endif
