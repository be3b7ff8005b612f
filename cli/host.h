/* SPDX-License-Identifier: MIT */
/* What portunus-server gives to its command line: how it serves, and the store without a server. */
#ifndef PORTUNUS_CLI_HOST_H
#define PORTUNUS_CLI_HOST_H

#include <stdbool.h>
#include <stddef.h>

/* What the command line and the program that embeds it have in common. */

/* Where the packaged unit keeps its state. */
#define CLI_UNIT_DIR "/var/lib/portunus-server"
#define CLI_ENDPOINT "127.0.0.1:7080"

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
	EXIT_CHANGES = 10, /* a dry run has found some */
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
	char etag[80]; /* of an answer over HTTP; "" for none */
	char why[600]; /* of a failure */
};

/* What the program that embeds the command line provides. */
struct cli_host {
	/* Runs the server until it is told to stop. Returns the exit code. */
	int (*serve)(const struct cli_serve *what);
	/*
	 * Makes one API call on the store itself, and never a store. 0; -EBUSY when a server holds
	 * the store, with find()'s line in reply->why if known; -ENOENT when there is no store;
	 * -EPROTO for a newer schema; another errno.
	 */
	int (*direct)(const struct cli_request *request, struct cli_reply *reply);
	/*
	 * How to reach the server that runs on a store: "[https://]HOST:PORT[ sha256:PIN]". 0, or
	 * -errno when that cannot be told.
	 */
	int (*find)(const char *data_dir, char *line, size_t size);
	/* Makes the store and the certificate; prints nothing. @why as above. */
	int (*init)(const char *data_dir, const char *advertised, char *pin_hex, char *why,
		    size_t why_size);
};

#endif
