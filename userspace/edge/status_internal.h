/* SPDX-License-Identifier: MIT */
/* What the parts of the local view share: its state, the JSON of its answers, the connections' list. */
#ifndef PORTUNUS_EDGE_STATUS_INTERNAL_H
#define PORTUNUS_EDGE_STATUS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "edge/account.h"
#include "edge/mailbox.h"
#include "edge/refresh.h"
#include "edge/status.h"
#include "lib/addr.h"

struct bufferevent;
struct client;
struct event;
struct json_t;
struct rule_report;
struct target;

#define STATUS_CONNS_SHARE 256 /* connections looked at in one turn of a worker */

/* One connection, as its worker saw it. */
struct conn_row {
	uint64_t rule_id;
	struct target *target; /* a reference, or NULL while it is dialling */
	int row;	       /* in its rule, -1 where the rule no longer has it */
	int client_fd;	       /* only to tell connections apart */
	uint32_t age_ms;
	union addr client, to;			 /* family AF_UNSPEC where unknown */
	uint64_t bytes_in, bytes_out;		 /* acknowledged by target and client */
	uint64_t unacked_client, unacked_target; /* bytes in the sockets' queues */
	uint32_t rtt_client_us, rtt_target_us;
	uint32_t retransmits_client, retransmits_target; /* segments */
};

/* A part of one worker's list. Filled on the worker's thread, used on the main thread otherwise. */
struct conn_chunk {
	struct job job;
	struct mailbox *home; /* the main thread's */
	struct worker *worker;
	struct client *client;
	void (*arrived)(struct conn_chunk *chunk); /* main thread */
	unsigned cursor, n;
	bool more;
	struct conn_row row[STATUS_CONNS_SHARE];
};

/* The socket, and what answers need. Main thread. */
struct status {
	struct status_config config;
	char *path;
	dev_t dev; /* of the socket file we made */
	ino_t ino;
	int fd;
	struct event *listening, *resume;
	struct refresher *refresher;
	struct mailbox mailbox; /* from the workers */
	struct event *mail;
	uint64_t started_ns;
	TAILQ_HEAD(, client) clients; /* the oldest first */
	unsigned n_clients;
	unsigned fetching; /* chunks that are with a worker */
	bool stopping;
};

/* One connection to the socket. Main thread. */
struct client {
	struct status *status;
	TAILQ_ENTRY(client) entry;
	struct bufferevent *bev;
	struct event *deadline;		/* of the request */
	bool asked;			/* the request was read */
	bool away;			/* refresh or chunk is elsewhere: the struct has to stay */
	bool gone;			/* nobody reads the answer any more */
	void (*more)(struct client *c); /* makes the next piece; NULL: the answer is complete */
	bool comma;			/* something came before in the array */

	struct refresh refresh; /* stats */
	bool per_target;
	uint64_t *ids;
	size_t n, at;

	struct conn_chunk *chunk; /* connections */
	unsigned worker;
	uint8_t *seen; /* a bit for each client fd in the answer */
	size_t seen_bytes;
};

/* Closes the connection; the struct goes when nothing of it is elsewhere any more. */
void client_free(struct client *c);

/*
 * Starts the answer to a request, of which nothing more is read. Ends with all of it in the output
 * buffer and c->more NULL; until then c->more() makes the next piece when the buffer runs low. @c may
 * be gone on return.
 */
void client_handle(struct client *c, const char *line, size_t len);
void client_answer_error(struct client *c, const char *code, const char *message);

/*
 * Makes the socket file (0660, its directory 0750 where that is missing) and listens. A file that
 * nobody answers on is replaced. Returns the fd, or -errno: -EADDRINUSE when a daemon answers,
 * -ENOTSOCK when the path is something else.
 */
int status_listen(const char *path, dev_t *dev, ino_t *ino);
/* Closes, and removes the file if it is still the one that was made. */
void status_unlisten(int fd, const char *path, dev_t dev, ino_t ino);

/* Fills @chunk from its cursor on and calls arrived(). The rows' references are the caller's then. */
void conn_chunk_fetch(struct conn_chunk *chunk);
/* Gives back the rows' references. */
void conn_chunk_clear(struct conn_chunk *chunk);

/* Each returns a new object, or NULL for memory. */
struct json_t *status_rule_json(const struct rule_report *r, enum account_mode mode,
				bool per_target);
struct json_t *status_conn_json(const struct conn_row *row);
struct json_t *status_self_json(const struct status_config *c, uint64_t uptime_secs);
struct json_t *status_error_json(const char *code, const char *message);

/* The row that new connections try first, -1 when all are drained. */
int status_current_row(const struct rule_report *r);

#endif
