/* SPDX-License-Identifier: MIT */
/* The life of one HTTP/2 connection: turns, pumping, keep-alive, and the ways it ends. */
#ifndef PORTUNUS_LIB_GRPC_CONN_H
#define PORTUNUS_LIB_GRPC_CONN_H

#include "lib/grpc/call.h"
#include "lib/grpc/grpc.h"
#include "lib/grpc/h2.h"

struct bufferevent;
struct evbuffer;
struct event;
struct tls_pin;

#define GRPC_OUTPUT_HIGH (64 << 10) /* no more frames are made while TLS has this much to send */
#define GRPC_OUTPUT_LOW	 (16 << 10)

enum h2conn_state {
	CONN_SETUP,   /* no session on the wire yet; calls may wait already */
	CONN_UP,      /* frames flow */
	CONN_CLOSING, /* our GOAWAY is out or about to be */
	CONN_LINGER,  /* all is sent, the socket waits for the peer's FIN */
	CONN_DEAD,    /* to be freed by the next turn */
};

/* How the roles differ. All from conn_turn(). */
struct h2conn_role {
	bool server;
	void (*up)(struct grpc_conn *c);
	void (*call)(struct grpc_conn *c, struct grpc_call *call);
	/* The last: tell the owner unless c->silent, forget @c. */
	void (*ended)(struct grpc_conn *c);
};

/*
 * One HTTP/2 connection over any bufferevent. Owned by the loop: it frees itself in conn_turn(), the only
 * place where callbacks are made, after role->ended(). Loop thread only.
 */
struct grpc_conn {
	struct event_base *base;
	const struct h2conn_role *role;
	void *owner; /* of the role */
	struct bufferevent *bev;
	struct h2 h2;
	struct call_set calls;
	struct event *kick;
	struct event *timer;
	struct evbuffer *staged; /* frames of one pump, handed to TLS together */
	struct tls_pin *pin;	 /* client: the role's */
	struct grpc_limits limits;
	enum h2conn_state state;
	bool in_turn;
	bool silent; /* the owner has freed it: no callbacks */
	bool mute;   /* input is thrown away */
	bool tell_up;
	bool pinged;	 /* a keep-alive is out, unanswered */
	uint64_t due_ns; /* when the timer should fire */
	uint64_t rx_ns;	 /* when a byte last came */
	union addr peer;
	int err; /* why it ends, valid when why[0] */
	char why[GRPC_TEXT_SIZE];
};

struct grpc_conn *h2conn_new(struct event_base *base, const struct h2conn_role *role, void *owner,
			     const struct grpc_limits *limits);
/* Starts HTTP/2 on a connected @bev, which the connection owns from now on. */
void h2conn_start(struct grpc_conn *c, struct bufferevent *bev);
/* Ends it in the next turn. */
void h2conn_fail(struct grpc_conn *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* GOAWAY, an end for every call, then linger. */
void h2conn_shutdown(struct grpc_conn *c, const char *why);

#endif
