// SPDX-License-Identifier: MIT
/*
 * HTTP/2 below TLS. The first byte: bit 0 takes the client's role, bit 1 leaves the preface to the input,
 * bits 2–7 say how the input is cut. The rest is what the peer sends.
 */
#include "lib/grpc/h2.c"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>

#include "lib/grpc/conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct grpc_conn *conn;
	int open;
};

static void role_up(struct grpc_conn *c)
{
}

static void role_ended(struct grpc_conn *c)
{
	((struct run *)c->owner)->conn = NULL;
}

/* The first byte of a message decides what its receiver does. */
static void on_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	struct run *r = arg;

	switch (len ? data[0] & 7 : 0) {
	case 1:
		grpc_call_finish(call, GRPC_ABORTED, "no");
		break;
	case 2:
		grpc_call_cancel(call, GRPC_CANCELLED, "no");
		break;
	case 3:
		grpc_call_free(call);
		r->open--;
		break;
	case 4:
		grpc_call_pause(call, true);
		break;
	case 5:
		if (r->conn)
			grpc_conn_close(r->conn);
		break;
	default:
		grpc_call_send(call, data, len);
		break;
	}
}

static void on_peer_done(struct grpc_call *call, void *arg)
{
	grpc_call_finish(call, GRPC_OK, NULL);
}

static void on_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	if (--((struct run *)arg)->open < 0)
		abort();
}

static const struct grpc_call_ops ops = {on_message, on_peer_done, NULL, on_closed};

static void role_call(struct grpc_conn *c, struct grpc_call *call)
{
	if (call->s.head.path[1] == 'r') {
		grpc_call_finish(call, GRPC_NOT_FOUND, "%");
		return;
	}
	((struct run *)c->owner)->open++;
	if (call->s.head.path[1] == 's')
		grpc_call_limit(call, 100);
	if (call->s.head.path[1] == 'd')
		grpc_call_deadline(call, 1);
	grpc_call_accept(call, &ops, c->owner);
}

static const struct h2conn_role roles[2] = {{true, role_up, role_call, role_ended},
					    {false, role_up, NULL, role_ended}};

static void swallow(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);

	evbuffer_drain(in, evbuffer_get_length(in));
}

static void settle(struct event_base *base)
{
	for (int i = 0; i < 6; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	const struct grpc_limits limits = {.message_max = 1000, .queue_max = 2000};
	struct run r = {0};
	struct bufferevent *pair[2];
	size_t piece;
	bool client;

	if (!base)
		base = event_base_new();
	if (size < 2 || bufferevent_pair_new(base, BEV_OPT_DEFER_CALLBACKS, pair))
		return 0;
	client = data[0] & 1;
	piece = data[0] >> 2 ? data[0] >> 2 : size;
	bufferevent_setcb(pair[0], swallow, NULL, NULL, NULL);
	bufferevent_enable(pair[0], EV_READ | EV_WRITE);
	r.conn = h2conn_new(base, &roles[client], &r, &limits);
	r.conn->h2.authority = "h";
	h2conn_start(r.conn, pair[1]);
	for (int i = 0; client && i < 2; i++, r.open++)
		grpc_call_send(grpc_call_open(r.conn, "/x", NULL, &ops, &r), "hello", 5);
	if (!(data[0] & 2)) {
		if (!client)
			bufferevent_write(pair[0], NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
		bufferevent_write(pair[0], "\0\0\0\4\0\0\0\0\0", 9);
	}
	for (data++, size--; size; data += piece, size -= piece) {
		piece = piece < size ? piece : size;
		bufferevent_write(pair[0], data, piece);
		settle(base);
	}
	/* Every call that was begun ends, once, when the connection does. */
	if (r.conn) {
		h2conn_fail(r.conn, -ECONNRESET, "the end");
		settle(base);
	}
	if (r.conn || r.open)
		abort();
	bufferevent_free(pair[0]);
	settle(base);
	return 0;
}
