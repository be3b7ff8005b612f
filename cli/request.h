/* SPDX-License-Identifier: MIT */
/* Calls of the API: where the server is, and what its answers mean. */
#ifndef PORTUNUS_CLI_REQUEST_H
#define PORTUNUS_CLI_REQUEST_H

#include <jansson.h>

#include "cli/args.h"

/*
 * Makes one API call where the server is, which is found the same way for every verb: --http-endpoint,
 * PORTUNUS_HTTP_ENDPOINT, the lock file in the data directory, or with nothing else to go by
 * CLI_ENDPOINT. Where no server runs on the data directory the call is made on the store itself. @body is
 * taken (NULL: none). On a success (2xx) returns 0 and, if @out is not NULL, the JSON answer (NULL when
 * empty). Else prints the error and returns the exit code. A change says where it was made unless the
 * command line did.
 */
int api_call(struct cli_args *a, const char *method, const char *target, json_t *body,
	     json_t **out);

/* Of a thing as it was read; "" where nobody else can change it meanwhile. */
struct api_tag {
	char text[80];
	/* Of an answer that was an error: its code ("": there was none), and the rule that it names, or 0. */
	char code[48];
	long long rule_id;
};

/*
 * The same: a GET leaves in @tag what was read, anything else is done only if it still is so. An error
 * leaves there what it says.
 */
int api_call_tagged(struct cli_args *a, const char *method, const char *target, json_t *body,
		    struct api_tag *tag, json_t **out);
/*
 * Follows a stream: calls @event with each event's data until @event returns non-zero, over the loss of the
 * server, to the end of what is followed. Prints errors, @gone when the stream's subject has been
 * removed. Returns the exit code.
 */
int api_stream(struct cli_args *a, const char *target, int (*event)(void *arg, const char *data),
	       void *arg, const char *gone);
/* The exit code for an error of the API. */
int exit_of(int status, const char *code);

#endif
