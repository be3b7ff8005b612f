/* SPDX-License-Identifier: MIT */
/* The HTTP/2 session: what nghttp2 tells us of a peer, what a peer may not do, and what a stream sends. */
#ifndef PORTUNUS_LIB_GRPC_H2_H
#define PORTUNUS_LIB_GRPC_H2_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/grpc/grpc.h"
#include "lib/grpc/headers.h"

struct evbuffer;

#define GRPC_STREAM_WINDOW (256 << 10)
#define GRPC_CONN_WINDOW   (1 << 20)

/* What a peer can do too often; each has its own budget per 10 s. */
enum flood { FLOOD_PING, FLOOD_EMPTY_DATA, FLOOD_CONTROL, FLOOD_KINDS };

struct flood_count {
	uint64_t since_ns;
	unsigned int n;
};

/* The part of a call that is a stream: what is queued in either direction, what the headers say. */
struct h2_stream {
	int32_t id;	      /* -1: none any more */
	struct evbuffer *in;  /* received, not yet delivered */
	struct evbuffer *out; /* framed, not yet sent */
	size_t credit;	      /* bytes of `in` for which the peer has not got its window back */
	size_t drain_below;   /* 0, or tell `news` when `out` has shrunk to this */
	bool finished;	      /* our last message is queued; server: the status is set */
	bool deferred;	      /* nghttp2 waits for h2_resume() */
	bool deaf;	      /* what still comes is thrown away */
	bool peer_ended;      /* END_STREAM came */
	struct grpc_headers head;
};

/*
 * What h2 tells of streams, from inside nghttp2: the receiver takes notes and calls nothing back. @arg is
 * the one given to h2_init().
 */
struct h2_stream_events {
	/* Server: the peer opens stream @id. Returns the new stream, or NULL without memory. */
	struct h2_stream *(*opened)(void *arg, int32_t id);
	/* Server: the stream's request is complete, and can be a call. */
	void (*request)(void *arg, struct h2_stream *s);
	/* Something came, or the queue got short. */
	void (*news)(void *arg, struct h2_stream *s);
	/* The stream is gone; @status and @text count unless an answer is known already. */
	void (*closed)(void *arg, struct h2_stream *s, int status, const char *text);
	/* Client: the request of stream @id could not go out any more. */
	void (*unsent)(void *arg, int32_t id);
};

/* What h2 tells of the connection, likewise. */
struct h2_link_events {
	/* The peer does something too often. */
	void (*calm)(void *arg, const char *what);
	/* One side has said GOAWAY: why the connection will end. */
	void (*goaway)(void *arg, int err, const char *why);
};

/* One HTTP/2 session. The embedding connection owns it; loop thread only. */
struct h2 {
	nghttp2_session *session;
	bool server;
	bool refuse_new;       /* set by the connection: it ends */
	bool peer_goaway;      /* no new calls */
	const char *authority; /* client: the connection's */
	const struct h2_stream_events *streams;
	void *streams_arg;
	const struct h2_link_events *link;
	void *link_arg;
	struct flood_count floods[FLOOD_KINDS];
};

/* Fills in the session of an otherwise prepared @h. Returns 0 or -ENOMEM. */
int h2_init(struct h2 *h, unsigned int calls_max);

/* 0 or -ENOMEM; nothing is sent before they return. */
int h2_submit_request(struct h2 *h, struct h2_stream *s);
int h2_submit_response(struct h2 *h, struct h2_stream *s);
int h2_submit_trailers_only(struct h2 *h, struct h2_stream *s, int http_status);

/* There is more in s->out, or it is finished. */
void h2_resume(struct h2 *h, struct h2_stream *s);
/* Gives the peer back its window, but for @keep bytes. Returns whether there is something to send. */
bool h2_give_credit(struct h2 *h, struct h2_stream *s, size_t keep);
/* Resets the stream: CANCEL. */
void h2_reset(struct h2 *h, struct h2_stream *s);
/* The stream lives on without its owner until it is closed. */
void h2_leave(struct h2 *h, struct h2_stream *s);

#endif
