// SPDX-License-Identifier: MIT
/* Calls: what their owners ask for, and when and in which order their owners are told. */
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/grpc_frame.h"
#include "lib/grpc_impl.h"

#define DELIVER_MESSAGES \
	64 /* of one call in one turn, so that it doesn't keep the loop to itself */

static const struct grpc_call_ops no_ops;

struct grpc_call *h2call_new(struct grpc_conn *c)
{
	struct grpc_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	*call = (struct grpc_call){.conn = c, .ops = &no_ops, .stream = -1};
	call->in = evbuffer_new();
	call->out = evbuffer_new();
	if (!call->in || !call->out) {
		if (call->in)
			evbuffer_free(call->in);
		free(call);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&c->calls, call, all);
	return call;
}

/* The stream lives on without the call until it is closed. */
static void leave_stream(struct grpc_call *call)
{
	if (call->stream >= 0)
		nghttp2_session_set_stream_user_data(call->conn->h2, call->stream, NULL);
	call->stream = -1;
}

void h2call_destroy(struct grpc_call *call)
{
	struct grpc_conn *c = call->conn;

	leave_stream(call);
	TAILQ_REMOVE(&c->calls, call, all);
	if (call->on_ready)
		TAILQ_REMOVE(&c->ready, call, ready);
	if (TAILQ_EMPTY(&c->calls))
		c->idle_ns = clock_mono_ns();
	evbuffer_free(call->in);
	evbuffer_free(call->out);
	free(call->path);
	free(call->authorization);
	free(call);
}

void h2call_ready(struct grpc_call *call)
{
	struct grpc_conn *c = call->conn;

	if (!call->on_ready) {
		TAILQ_INSERT_TAIL(&c->ready, call, ready);
		call->on_ready = true;
	}
	h2conn_kick(c);
}

void h2call_set_status(struct grpc_call *call, int status, const char *text)
{
	call->status = status;
	snprintf(call->text, sizeof(call->text), "%s", text ? text : "");
}

void h2call_end(struct grpc_call *call, int status, const char *text)
{
	if (call->ended)
		return;
	if (!call->answered)
		h2call_set_status(call, status, text);
	call->ended = true;
	leave_stream(call);
	h2call_ready(call);
}

/* ---- what the owner asks for ---- */

int grpc_call_send(struct grpc_call *call, const void *data, size_t len)
{
	const struct grpc_limits *limits = &call->conn->limits;
	size_t queued = evbuffer_get_length(call->out);
	uint8_t prefix[GRPC_PREFIX_SIZE];

	if (call->ended || call->finished)
		return -EPIPE;
	if (len > limits->message_max)
		return -EMSGSIZE;
	if (queued && queued + sizeof(prefix) + len > limits->queue_max) {
		call->want_drain = true;
		return -EAGAIN;
	}
	if (evbuffer_expand(call->out, sizeof(prefix) + len))
		return -ENOMEM;
	grpc_prefix_write(prefix, (uint32_t)len);
	evbuffer_add(call->out, prefix, sizeof(prefix));
	evbuffer_add(call->out, data, len);
	if (call->deferred) {
		call->deferred = false;
		nghttp2_session_resume_data(call->conn->h2, call->stream);
	}
	h2conn_kick(call->conn);
	return 0;
}

size_t grpc_call_queued(const struct grpc_call *call)
{
	return evbuffer_get_length(call->out);
}

static void no_more_messages(struct grpc_call *call)
{
	call->finished = true;
	if (call->deferred) {
		call->deferred = false;
		nghttp2_session_resume_data(call->conn->h2, call->stream);
	}
	h2conn_kick(call->conn);
}

void grpc_call_done(struct grpc_call *call)
{
	if (!call->ended && !call->finished)
		no_more_messages(call);
}

void grpc_call_accept(struct grpc_call *call, const struct grpc_call_ops *ops, void *arg)
{
	call->ops = ops;
	call->arg = arg;
	call->accepted = true;
	if (!call->ended && h2_submit_response(call))
		h2call_end(call, GRPC_INTERNAL, "out of memory");
	h2call_ready(call);
}

void grpc_call_finish(struct grpc_call *call, int status, const char *text)
{
	if (call->ended || call->finished)
		return;
	h2call_set_status(call, status, text);
	call->fresh = false;
	if (call->accepted) {
		no_more_messages(call);
		return;
	}
	call->finished = true;
	if (h2_submit_trailers_only(call, 200))
		h2call_end(call, GRPC_INTERNAL, "out of memory");
	h2conn_kick(call->conn);
}

void grpc_call_cancel(struct grpc_call *call, int status, const char *text)
{
	if (call->ended)
		return;
	if (call->stream >= 0)
		nghttp2_submit_rst_stream(call->conn->h2, NGHTTP2_FLAG_NONE, call->stream,
					  NGHTTP2_CANCEL);
	call->answered = false; /* this end is the caller's own */
	call->broken = true;
	call->paused = false;
	h2call_end(call, status, text);
}

void h2call_silence(struct grpc_call *call)
{
	call->ops = &no_ops;
	call->broken = true;
	call->paused = false;
}

void grpc_call_free(struct grpc_call *call)
{
	grpc_call_cancel(call, GRPC_CANCELLED, "");
	h2call_silence(call);
	h2call_ready(call);
}

void grpc_call_pause(struct grpc_call *call, bool paused)
{
	if (call->conn->state == CONN_DEAD || call->broken)
		return;
	call->paused = paused;
	if (!paused)
		h2call_ready(call);
}

struct grpc_conn *grpc_call_conn(const struct grpc_call *call)
{
	return call->conn;
}

/* ---- what the owner is told ---- */

/* What came cannot be a message: nothing after it can be understood. */
static void reject_input(struct grpc_call *call, int error)
{
	int status = GRPC_INTERNAL;
	const char *text = "bad message prefix";

	if (error == -EMSGSIZE) {
		status = GRPC_RESOURCE_EXHAUSTED;
		text = "message larger than the limit";
	} else if (error == -EOPNOTSUPP) {
		status = GRPC_UNIMPLEMENTED;
		text = "compressed messages are not supported";
	} else if (error == -ENOMEM) {
		status = GRPC_RESOURCE_EXHAUSTED;
		text = "out of memory";
	}
	call->broken = true;
	if (call->conn->role->server) {
		grpc_call_finish(call, status, text);
	} else if (call->ended) {
		h2call_set_status(call, status, text);
	} else {
		grpc_call_cancel(call, status, text);
	}
}

/* Gives the peer back the window of what the owner has taken. */
static void give_credit(struct grpc_call *call)
{
	if (call->credit && call->stream >= 0) {
		nghttp2_session_consume_stream(call->conn->h2, call->stream, call->credit);
		h2conn_kick(call->conn);
	}
	call->credit = 0;
}

/* Returns whether all whole messages have been delivered. */
static bool deliver_messages(struct grpc_call *call)
{
	struct grpc_message m;
	int rc;

	for (int i = 0; i < DELIVER_MESSAGES; i++) {
		if (call->paused)
			return false;
		if (call->broken || (call->conn->role->server && call->finished))
			return true;
		rc = grpc_message_peek(call->in, call->conn->limits.message_max, &m);
		if (rc < 0) {
			reject_input(call, rc);
			return true;
		}
		if (rc == 0) {
			/* A part of a message is credited too, or one above the window could never come. */
			give_credit(call);
			return true;
		}
		if (call->ops->message)
			call->ops->message(call, m.data, m.len, call->arg);
		grpc_message_drop(call->in, &m);
	}
	h2call_ready(call);
	return false;
}

static void tell_peer_done(struct grpc_call *call)
{
	call->peer_told = true;
	if (evbuffer_get_length(call->in)) {
		call->broken = true;
		grpc_call_finish(call, GRPC_INTERNAL, "the last message is cut");
	} else if (call->ops->peer_done) {
		call->ops->peer_done(call, call->arg);
	}
}

static void tell_closed(struct grpc_call *call)
{
	if (!call->conn->role->server && !call->broken && call->status == GRPC_OK &&
	    evbuffer_get_length(call->in))
		h2call_set_status(call, GRPC_INTERNAL, "the last message is cut");
	if (call->ops->closed)
		call->ops->closed(call, call->status, call->text, call->arg);
	h2call_destroy(call);
}

static void tell_new(struct grpc_call *call)
{
	call->fresh = false;
	call->conn->role->call(call->conn, call);
	if (!call->accepted && !call->finished && !call->ended)
		grpc_call_finish(call, GRPC_UNIMPLEMENTED, "unknown method");
}

static void tell_drained(struct grpc_call *call)
{
	size_t low = call->conn->limits.queue_max / 4;

	if (!call->want_drain || call->ended || call->finished ||
	    evbuffer_get_length(call->out) > low)
		return;
	call->want_drain = false;
	if (call->ops->drained)
		call->ops->drained(call, call->arg);
}

void h2call_deliver(struct grpc_call *call)
{
	bool server = call->conn->role->server;

	if (server && call->fresh && !call->ended)
		tell_new(call);
	if (server && !call->accepted) {
		if (call->ended)
			h2call_destroy(call); /* refused, or gone before anybody saw it */
		return;
	}
	tell_drained(call);
	if (!deliver_messages(call))
		return;
	if (server && call->peer_ended && !call->peer_told && !call->broken && !call->finished)
		tell_peer_done(call);
	if (call->ended)
		tell_closed(call);
}
