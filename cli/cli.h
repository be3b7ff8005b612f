/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_CLI_CLI_H
#define PORTUNUS_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

/* The command line of portunus-server: one table of verbs, of which all but `serve` use the API. */

enum cli_exit {
	EXIT_OK = 0,
	EXIT_OTHER = 1,
	EXIT_USAGE = 2,
	EXIT_INVALID = 3,
	EXIT_REFUSED = 4, /* token missing or refused, or the client is not connected */
	EXIT_DENIED = 5,  /* port in use, or not allowed */
	EXIT_ACTIVATION = 6,
	EXIT_ACK_TIMEOUT = 7,
	EXIT_NOT_FOUND = 8,
	EXIT_SCHEMA = 78,
};

struct cli_serve {
	const char *data_dir;
	const char *advertised;		  /* host:port, or NULL */
	const char *operator_http_listen; /* or NULL: what server.toml says */
	/* Of an edge on this host; without a name there is none and the others mean nothing. */
	const char *edge, *edge_program, *edge_instance, *user; /* each may be NULL */
	bool edge_stop;
};

struct cli_request {
	const char *data_dir, *advertised;
	const char *method, *target;
	const char *body; /* JSON, or NULL */
};

struct cli_reply {
	int status;    /* HTTP */
	char *body;    /* owned; never NULL after a success */
	char why[600]; /* of a failure */
};

/* What the program that embeds the command line provides. */
struct cli_host {
	/* Runs the server until it is told to stop. Returns the exit code. */
	int (*serve)(const struct cli_serve *what);
	/*
	 * Makes one API call on the store itself. 0; -EBUSY when a server holds the store, with its
	 * address in reply->why if known; -EPROTO for a newer schema; another errno.
	 */
	int (*direct)(const struct cli_request *request, struct cli_reply *reply);
};

/* Returns the exit code of the program. */
int cli_main(int argc, char **argv, const struct cli_host *host);

#endif
