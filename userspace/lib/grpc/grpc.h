/* SPDX-License-Identifier: MIT */
/* gRPC over HTTP/2 in both roles, on a libevent loop. */
#ifndef PORTUNUS_LIB_GRPC_GRPC_H
#define PORTUNUS_LIB_GRPC_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"

/*
 * gRPC over HTTP/2 over TLS, client and server. It carries messages as opaque bytes.
 *
 * Everything belongs to the thread that runs the event base. No function here calls back: news comes
 * later, from the loop. Every function may be called from inside every callback, the freeing ones
 * included. Texts and bytes given to a callback live until it returns; those given to a function are
 * copied. The program ignores SIGPIPE: a peer that has gone is an error of write(2), not a signal.
 */
struct event_base;
struct ssl_ctx_st;
struct grpc_server;
struct grpc_conn;
struct grpc_call;

#define GRPC_MESSAGE_MAX (4u << 20) /* what peers accept by default, in each direction */

enum grpc_status {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

/* What a call tells its owner; any member may be NULL. */
struct grpc_call_ops {
	void (*message)(struct grpc_call *call, const uint8_t *data, size_t len, void *arg);
	/* Server role: the peer has sent its last message. */
	void (*peer_done)(struct grpc_call *call, void *arg);
	/* After grpc_call_send() said -EAGAIN: three quarters of the queue have gone out. */
	void (*drained)(struct grpc_call *call, void *arg);
	/*
	 * The end, exactly once, after the last message; @call is freed when it returns. Client: what
	 * the server answered, or what went wrong on the way. Server: the status that was sent, or
	 * CANCELLED when the client left, UNAVAILABLE when the connection broke. @text is never NULL.
	 */
	void (*closed)(struct grpc_call *call, int status, const char *text, void *arg);
};

/* Times and limits; 0 means the default given here. Tests shorten them. */
struct grpc_limits {
	unsigned int setup_ms;	   /* TLS handshake, for a client connect and name as well: 10000 */
	unsigned int keepalive_ms; /* of silence before we ping: 20000 */
	unsigned int keepalive_reply_ms; /* of silence after it: 8000, then the link is dead */
	unsigned int idle_ms;		 /* server: a connection without a call: 60000 */
	unsigned int shutdown_ms;	 /* what may delay the end after GOAWAY: 2000 */
	size_t message_max;		 /* received and sent: GRPC_MESSAGE_MAX */
	size_t queue_max;		 /* bytes a call queues for sending: 1 MiB */
	unsigned int calls_max;		 /* open calls of one connection: 128 */
	unsigned int conns_per_address;	 /* of a server, loopback exempt: 1024 */
	unsigned int conns_max;		 /* connections of a server: 4096 */
};

/* ---- calls, both roles ---- */

/*
 * Queues one message. Returns 0; -EAGAIN if the queue isn't empty and the message doesn't fit (nothing
 * is queued, `drained` follows); -EMSGSIZE if it exceeds the limit; -EPIPE if the call has ended
 * or this side has finished; -ENOMEM.
 */
int grpc_call_send(struct grpc_call *call, const void *data, size_t len);
size_t grpc_call_queued(const struct grpc_call *call); /* bytes not yet given to TLS */

/* Client: no more messages from this side. The answer and `closed` are still to come. */
void grpc_call_done(struct grpc_call *call);

/*
 * Server: ends the call with @status and @text (NULL: ""), after what is queued. The client sees a
 * trailers-only answer if the call has not been accepted. `closed` follows.
 */
void grpc_call_finish(struct grpc_call *call, int status, const char *text);

/* Either: resets the stream; what is queued or not yet delivered is dropped. `closed` follows with
 * @status and @text; the peer sees CANCELLED. */
void grpc_call_cancel(struct grpc_call *call, int status, const char *text);

/* As cancel, but there is no further callback of any kind; the caller forgets @call. */
void grpc_call_free(struct grpc_call *call);

/* While paused no message is delivered and the peer runs into flow control after 256 KiB. */
void grpc_call_pause(struct grpc_call *call, bool paused);

/* No message above @message_max bytes is accepted any more; it never needs more window than it has. */
void grpc_call_limit(struct grpc_call *call, size_t message_max);

/*
 * Server: a call that is not finished within @ms ends with DEADLINE_EXCEEDED; one whose client does not
 * fetch the answer is reset after as long again. Returns 0 or -ENOMEM.
 */
int grpc_call_deadline(struct grpc_call *call, unsigned int ms);

struct grpc_conn *grpc_call_conn(const struct grpc_call *call);

/* ---- client ---- */

struct grpc_conn_ops {
	void (*up)(struct grpc_conn *conn, void *arg);
	/*
	 * The connection has ended and every call on it was told; @conn is freed when this returns.
	 * @err is -errno (0: both sides agreed), @why says it in words. Exactly once. Among them:
	 * -EKEYREJECTED pin mismatch, -EPROTONOSUPPORT no ALPN h2, -ETIMEDOUT, -ECONNREFUSED.
	 */
	void (*down)(struct grpc_conn *conn, int err, const char *why, void *arg);
};

struct grpc_client_conf {
	const char *host; /* a name or literal; also SNI (names only) and :authority */
	uint16_t port;
	const uint8_t *pin;	 /* 32 bytes: SHA-256 of the server's leaf certificate (DER) */
	const uint8_t *next_pin; /* of one that is taken too; NULL: none */
	struct grpc_limits limits;
};

/*
 * Starts connecting: looks the name up in a helper thread (getaddrinfo), then tries the addresses in
 * turn. Calls may be opened at once. Returns NULL with errno set only for memory, TLS set-up or a
 * thread that cannot be started.
 */
struct grpc_conn *grpc_client_connect(struct event_base *base, const struct grpc_client_conf *conf,
				      const struct grpc_conn_ops *ops, void *arg);

/* Opens a call. @authorization is the whole value of that header, or NULL. Returns NULL with errno
 * ENOMEM, or ENOTCONN when the connection has ended, closes, or got the server's GOAWAY. */
struct grpc_call *grpc_call_open(struct grpc_conn *conn, const char *path,
				 const char *authorization, const struct grpc_call_ops *ops,
				 void *arg);

/* Sends GOAWAY, ends the calls with UNAVAILABLE, flushes, then `down`. */
void grpc_conn_close(struct grpc_conn *conn);

/* Ends it now: no callback of it or of its calls comes any more. */
void grpc_conn_free(struct grpc_conn *conn);

/* The other end's address; family AF_UNSPEC before the connection is up. */
const union addr *grpc_conn_peer(const struct grpc_conn *conn);

/* ---- server ---- */

struct grpc_server_ops {
	/*
	 * A call came in. The handler answers before it returns, with grpc_call_accept() or
	 * grpc_call_finish(); if it does neither, the call is UNIMPLEMENTED. @authorization is NULL
	 * when absent.
	 */
	void (*call)(struct grpc_server *server, struct grpc_call *call, const char *path,
		     const char *authorization, void *arg);
	/* After grpc_server_shutdown(): the last connection is gone; @server is freed on return. */
	void (*stopped)(struct grpc_server *server, void *arg);
};

struct grpc_server_conf {
	struct ssl_ctx_st *tls; /* tls_server_ctx() with ALPN "h2"; a reference is taken */
	union addr listen;
	struct grpc_limits limits;
};

/* Binds and listens; port 0 picks one. Returns 0 or -errno. */
int grpc_server_new(struct event_base *base, const struct grpc_server_conf *conf,
		    const struct grpc_server_ops *ops, void *arg, struct grpc_server **out);
uint16_t grpc_server_port(const struct grpc_server *server);

struct grpc_server_figures {
	unsigned int strangers, known, leaving; /* connections now */
	uint64_t refused;			/* connections, for want of room */
	uint64_t ended_for_others;		/* strangers that had to make room */
};

/* Valid as long as the server. */
const struct grpc_server_figures *grpc_server_figures(const struct grpc_server *server);

/*
 * Who is behind the connection has shown a credential. Until then it is a stranger's, and ended when the
 * limits on connections are reached and another one comes.
 */
void grpc_conn_known(struct grpc_conn *conn);

/* Server: sends the response's HEADERS and delivers messages from now on. */
void grpc_call_accept(struct grpc_call *call, const struct grpc_call_ops *ops, void *arg);

/* Stops listening; every connection gets GOAWAY and its calls UNAVAILABLE; then `stopped`. */
void grpc_server_shutdown(struct grpc_server *server);

/* Ends it all now, without any further callback. */
void grpc_server_free(struct grpc_server *server);

#endif
