/* SPDX-License-Identifier: MIT */
/* The body of a push or an update, made of the command line. */
#ifndef PORTUNUS_CLI_RULE_BODY_H
#define PORTUNUS_CLI_RULE_BODY_H

#include <jansson.h>

#include "cli/args.h"

/* Fills in the empty @body of CLIENT LISTEN [HOST:PORT] and options. 0, or the exit code. */
int rule_body_of_push(const struct cli_args *a, json_t *body);

/* The body that would make the rule that a row of the list shows. */
json_t *rule_body_of_row(const json_t *row);
/* Changes what RULE_ID [HOST:PORT] and options name. 0, or the exit code. */
int rule_body_change(const struct cli_args *a, json_t *body);

#endif
