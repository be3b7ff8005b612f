/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_LIB_GRPC_IMPL_H
#define PORTUNUS_LIB_GRPC_IMPL_H

/* What the files grpc_*.c share. Nobody else includes this, save the tests that look inside. */

#include <nghttp2/nghttp2.h>
#include <sys/queue.h>
#include <time.h>

#include "lib/grpc.h"

struct bufferevent;
struct evbuffer;
struct event;
struct ssl_st;
struct tls_pin;

#define GRPC_TEXT_SIZE	       512
#define GRPC_STREAM_WINDOW     (256 << 10)
#define GRPC_CONN_WINDOW       (1 << 20)
#define GRPC_HEADER_LIST_MAX   (16 << 10) /* as RFC 9113 counts it: 32 bytes per field added */
#define GRPC_HEADER_LIST_FATAL (64 << 10) /* above this the peer is not worth decoding for */
#define GRPC_OUTPUT_HIGH       (64 << 10) /* no more frames are made while TLS has this much to send */
#define GRPC_OUTPUT_LOW	       (16 << 10)

enum h2conn_state {
	CONN_SETUP,   /* no session on the wire yet; calls may wait already */
	CONN_UP,      /* frames flow */
	CONN_CLOSING, /* our GOAWAY is out or about to be */
	CONN_LINGER,  /* all is sent, the socket waits for the peer's FIN */
	CONN_DEAD,    /* to be freed by the next turn */
};

/* What a peer can do too often; each has its own budget per 10 s. */
enum flood { FLOOD_PING, FLOOD_EMPTY_DATA, FLOOD_CONTROL, FLOOD_KINDS };

struct flood_count {
	uint64_t since_ns;
	unsigned int n;
};

/* How the roles differ. All from conn_turn(). */
struct h2conn_role {
	bool server;
	void (*up)(struct grpc_conn *c);
	void (*call)(struct grpc_conn *c, struct grpc_call *call);
	/* The last: tell the owner unless c->silent, forget @c. */
	void (*ended)(struct grpc_conn *c);
};

TAILQ_HEAD(call_list, grpc_call);

/*
 * One HTTP/2 connection over any bufferevent. Owned by the loop: it frees itself in conn_turn(), the only
 * place where callbacks are made, after role->ended(). Loop thread only.
 */
struct grpc_conn {
	struct event_base *base;
	const struct h2conn_role *role;
	void *owner;	       /* of the role */
	const char *authority; /* client: the role's */
	struct bufferevent *bev;
	nghttp2_session *h2;
	struct event *kick;
	struct event *timer;
	struct evbuffer *staged; /* frames of one pump, handed to TLS together */
	struct tls_pin *pin;	 /* client: the role's */
	struct grpc_limits limits;
	struct call_list calls; /* all of them */
	struct call_list ready; /* those with news for their owner */
	enum h2conn_state state;
	bool in_turn;
	bool silent;	  /* the owner has freed it: no callbacks */
	bool mute;	  /* input is thrown away */
	bool peer_goaway; /* no new calls */
	bool tell_up;
	bool pinged;	  /* a keep-alive is out, unanswered */
	uint64_t due_ns;  /* when the timer should fire */
	uint64_t rx_ns;	  /* when a byte last came */
	uint64_t idle_ns; /* when the last call ended */
	struct flood_count floods[FLOOD_KINDS];
	union addr peer;
	int err; /* why it ends, valid when why[0] */
	char why[GRPC_TEXT_SIZE];
};

/*
 * One call: a stream and what is queued in either direction. Lives until `closed` was told, longer than
 * its stream.
 */
struct grpc_call {
	TAILQ_ENTRY(grpc_call) all;
	TAILQ_ENTRY(grpc_call) ready;
	struct grpc_conn *conn;
	const struct grpc_call_ops *ops;
	void *arg;
	struct evbuffer *in;  /* received, not yet delivered */
	struct evbuffer *out; /* framed, not yet sent */
	size_t credit;	      /* bytes of `in` for which the peer has not got its window back */
	int32_t stream;	      /* -1: none any more */
	bool on_ready;
	bool fresh;	 /* server: the owner has not seen it */
	bool accepted;	 /* server: HEADERS submitted */
	bool finished;	 /* our last message is queued; server: the status is set */
	bool answered;	 /* client: the server's status is known; server: ours went out */
	bool peer_ended; /* END_STREAM came */
	bool peer_told;
	bool deferred; /* nghttp2 waits for grpc_call_send() */
	bool paused;
	bool want_drain;
	bool broken; /* no more messages are taken from `in` */
	bool ended;  /* no more stream: `closed` is due */

	/* from the headers */
	char *path;
	char *authorization;
	size_t header_bytes;
	int http_status;
	bool post;
	bool grpc_type;

	int status;
	char text[GRPC_TEXT_SIZE];
};

/* grpc_conn.c */
struct grpc_conn *h2conn_new(struct event_base *base, const struct h2conn_role *role, void *owner,
			     const struct grpc_limits *limits);
/* Starts HTTP/2 on a connected @bev, which the connection owns from now on. */
void h2conn_start(struct grpc_conn *c, struct bufferevent *bev);
void h2conn_kick(struct grpc_conn *c);
void h2conn_arm(struct grpc_conn *c, unsigned int ms);

/* grpc_close.c */
/* Keeps the reason of an end that is to come; the first one given stays. */
void h2conn_note(struct grpc_conn *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Ends it in the next turn. */
void h2conn_fail(struct grpc_conn *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* GOAWAY, an end for every call, then linger. */
void h2conn_shutdown(struct grpc_conn *c, const char *why);
/* GOAWAY ENHANCE_YOUR_CALM for a peer that wastes our time; nothing more is read of it. */
void h2conn_calm(struct grpc_conn *c, const char *what);
/* Whether nothing is left to send and nothing more will be read. */
bool h2conn_all_said(struct grpc_conn *c);
void h2conn_linger(struct grpc_conn *c);

/* grpc_h2.c */
int h2_session_new(struct grpc_conn *c);

/* grpc_submit.c: 0 or -ENOMEM; before they return nothing is sent */
int h2_submit_request(struct grpc_call *call);
int h2_submit_response(struct grpc_call *call);
int h2_submit_trailers_only(struct grpc_call *call, int http_status);

/* grpc_call.c */
struct grpc_call *h2call_new(struct grpc_conn *c);
void h2call_ready(struct grpc_call *call);
/* The stream is gone; @status and @text count unless an answer is known already. */
void h2call_end(struct grpc_call *call, int status, const char *text);
void h2call_set_status(struct grpc_call *call, int status, const char *text);
/* No callbacks any more, whatever is due. */
void h2call_silence(struct grpc_call *call);
/* Makes the callbacks that are due; frees the call after the last. Only from conn_turn(). */
void h2call_deliver(struct grpc_call *call);
void h2call_destroy(struct grpc_call *call);

/* grpc_tls.c: from a connected socket to h2conn_start(); takes @fd and @ssl whatever comes. */
void h2conn_handshake(struct grpc_conn *c, int fd, struct ssl_st *ssl);

#endif
