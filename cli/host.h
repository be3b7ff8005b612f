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
	/* Of the verbs for backups. */
	EXIT_NO_SOURCE = 5,
	EXIT_OVERWRITE = 6,
	EXIT_NO_DATABASE = 7,
	EXIT_MIGRATION = 70,
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

/*
 * What verbs do on the data directory itself. Those that write want it for themselves: -EBUSY while a server runs on
 * it. Every failure has a sentence in its why, which may begin with its code and a colon.
 */
struct cli_backup {
	const char *data_dir, *out;
	bool full;
	unsigned keep;
};
struct cli_restore {
	const char *data_dir, *in;
	bool force;
};
struct cli_restored {
	bool full, pair;
	char cert[4096], key[4096]; /* where server.toml wants the pair, when that is elsewhere */
	char why[600];
};
typedef void (*cli_name)(void *arg, const char *path);

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
	/*
	 * A copy of the store, also while a server runs; @path (PATH_MAX) gets its name. -ENOENT: no
	 * store; -EEXIST: a file is there; -EINVAL: to keep some wants a directory.
	 */
	int (*backup)(const struct cli_backup *what, char *path, char *why, size_t why_size);
	/*
	 * And the way back. -ENOENT: no such backup; -EUCLEAN: it is none; -EEXIST: something is there;
	 * -EPROTO: a newer schema; -ENOTRECOVERABLE: its migration failed.
	 */
	int (*restore)(const struct cli_restore *what, struct cli_restored *out);
	/* Removes the store, or with @dry names what would go. -EUCLEAN: it is none. */
	int (*reset)(const char *data_dir, bool dry, cli_name each, void *arg, char *why,
		     size_t why_size);
	/* Of the audit trail what is older than @before. -EINVAL: that is no time; -ENOENT: no store. */
	int (*audit_prune)(const char *data_dir, const char *before, bool dry,
			   unsigned long long *n, char *why, size_t why_size);
};

#endif
