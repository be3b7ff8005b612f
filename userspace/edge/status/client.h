/* SPDX-License-Identifier: MIT */
/* One client of the local view or of /metrics: its request, its answer as it takes it, its time. */
#ifndef PORTUNUS_EDGE_STATUS_CLIENT_H
#define PORTUNUS_EDGE_STATUS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct bufferevent;
struct evbuffer;
struct event;
struct event_base;

struct client;

/* How requests look on a kind of socket. */
struct client_kind {
	/* The length of the request that @in begins with, 0 while it is not all there. */
	size_t (*request_len)(struct evbuffer *in);
	bool ends_with_input; /* what came before the sender's end is a request too */
	const char *busy;     /* what one client too many is told */
};

/* What the clients of a socket share. Main thread. */
struct client_list {
	struct event_base *base;
	const struct client_kind *kind;
	/*
	 * Starts the answer to a request, of which nothing more is read; @line is NULL for one that is
	 * too long. Ends with all of it in the output buffer and c->more NULL; until then c->more()
	 * makes the next piece when the buffer runs low. @c may be gone on return.
	 */
	void (*handle)(struct client *c, const char *line, size_t len);
	void *arg;		  /* the handler's */
	TAILQ_HEAD(, client) all; /* the oldest first */
	unsigned n;
};

/* One connection to the socket. Main thread. */
struct client {
	struct client_list *list;
	TAILQ_ENTRY(client) entry;
	struct bufferevent *bev;
	struct event *deadline; /* of the request */
	bool asked;		/* the request was read */
	bool away;		/* a part of the answer is elsewhere: the struct has to stay */
	bool gone;		/* nobody reads the answer any more */
	void (*more)(struct client *c); /* makes the next piece; NULL: the answer is complete */
	void *answer;			/* the handler's */
	void (*forget)(void *answer);	/* frees it */
};

/* @kind outlives the list. */
void client_list_init(struct client_list *l, struct event_base *base,
		      const struct client_kind *kind,
		      void (*handle)(struct client *c, const char *line, size_t len), void *arg);
/* Ends every client; a struct whose answer is away goes when it comes back. */
void client_list_end(struct client_list *l);

/* Takes the socket over: a new client, or a refusal when 32 are being answered. */
void client_accept(struct client_list *l, int fd);

/* Closes the connection; the struct goes when nothing of it is elsewhere any more. */
void client_free(struct client *c);

struct evbuffer *client_output(struct client *c);
/* Has c->more() called in the next turn of the loop, though nothing was added to the output. */
void client_again(struct client *c);
/* @tail is the last of the answer; the client is freed when all is sent. */
void client_finish(struct client *c, const char *tail);

#endif
