// SPDX-License-Identifier: MIT
/* Calls: what their owners ask for, and when and in which order their owners are told. */
#include "lib/grpc/call.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/grpc/frame.h"

#define DELIVER_MESSAGES \
	64 /* of one call in one turn, so that it doesn't keep the loop to itself */

static const struct grpc_call_ops no_ops;

static struct grpc_call *call_of(struct h2_stream *s)
{
	return container_of(s, struct grpc_call, s);
}

static void kick(const struct grpc_call *call)
{
	event_active(call->set->kick, EV_TIMEOUT, 0);
}

struct grpc_call *h2call_new(struct call_set *set)
{
	struct grpc_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	*call = (struct grpc_call){.set = set, .ops = &no_ops, .s = {.id = -1}};
	call->message_max = set->limits->message_max;
	call->s.in = evbuffer_new();
	call->s.out = evbuffer_new();
	if (!call->s.in || !call->s.out) {
		if (call->s.in)
			evbuffer_free(call->s.in);
		free(call);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&set->all, call, all);
	return call;
}

void h2call_destroy(struct grpc_call *call)
{
	struct call_set *set = call->set;

	h2_leave(set->h2, &call->s);
	TAILQ_REMOVE(&set->all, call, all);
	if (call->on_ready)
		TAILQ_REMOVE(&set->ready, call, ready);
	if (TAILQ_EMPTY(&set->all))
		set->idle_ns = clock_mono_ns();
	if (call->deadline)
		event_free(call->deadline);
	evbuffer_free(call->s.in);
	evbuffer_free(call->s.out);
	grpc_headers_clear(&call->s.head);
	free(call);
}

static void make_ready(struct grpc_call *call)
{
	if (!call->on_ready) {
		TAILQ_INSERT_TAIL(&call->set->ready, call, ready);
		call->on_ready = true;
	}
	kick(call);
}

void h2call_end(struct grpc_call *call, int status, const char *text)
{
	if (call->ended)
		return;
	if (!call->s.head.answered)
		grpc_headers_set_status(&call->s.head, status, text);
	call->ended = true;
	h2_leave(call->set->h2, &call->s);
	make_ready(call);
}

/* ---- what the session tells ---- */

static struct h2_stream *on_opened(void *arg, int32_t id)
{
	struct grpc_call *call = h2call_new(arg);

	if (!call)
		return NULL;
	call->s.id = id;
	return &call->s;
}

static void on_request(void *arg, struct h2_stream *s)
{
	call_of(s)->fresh = true;
	make_ready(call_of(s));
}

static void on_news(void *arg, struct h2_stream *s)
{
	make_ready(call_of(s));
}

static void on_closed(void *arg, struct h2_stream *s, int status, const char *text)
{
	h2call_end(call_of(s), status, text);
}

static void on_unsent(void *arg, int32_t id)
{
	const struct call_set *set = arg;
	struct grpc_call *call;

	TAILQ_FOREACH (call, &set->all, all) {
		if (call->s.id == id) {
			h2call_end(call, GRPC_UNAVAILABLE, "the connection takes no new calls");
			break;
		}
	}
}

const struct h2_stream_events h2call_events = {
	.opened = on_opened,
	.request = on_request,
	.news = on_news,
	.closed = on_closed,
	.unsent = on_unsent,
};

/* ---- what the owner asks for ---- */

int grpc_call_send(struct grpc_call *call, const void *data, size_t len)
{
	const struct grpc_limits *limits = call->set->limits;
	size_t queued = evbuffer_get_length(call->s.out);
	uint8_t prefix[GRPC_PREFIX_SIZE];

	if (call->ended || call->s.finished)
		return -EPIPE;
	if (len > limits->message_max)
		return -EMSGSIZE;
	if (queued && queued + sizeof(prefix) + len > limits->queue_max) {
		call->s.drain_below = limits->queue_max / 4;
		return -EAGAIN;
	}
	if (evbuffer_expand(call->s.out, sizeof(prefix) + len))
		return -ENOMEM;
	grpc_prefix_write(prefix, (uint32_t)len);
	evbuffer_add(call->s.out, prefix, sizeof(prefix));
	evbuffer_add(call->s.out, data, len);
	h2_resume(call->set->h2, &call->s);
	kick(call);
	return 0;
}

size_t grpc_call_queued(const struct grpc_call *call)
{
	return evbuffer_get_length(call->s.out);
}

static void no_more_messages(struct grpc_call *call)
{
	call->s.finished = true;
	h2_resume(call->set->h2, &call->s);
	kick(call);
}

void grpc_call_done(struct grpc_call *call)
{
	if (!call->ended && !call->s.finished)
		no_more_messages(call);
}

void grpc_call_accept(struct grpc_call *call, const struct grpc_call_ops *ops, void *arg)
{
	call->ops = ops;
	call->arg = arg;
	call->accepted = true;
	if (!call->ended && h2_submit_response(call->set->h2, &call->s))
		h2call_end(call, GRPC_INTERNAL, "out of memory");
	make_ready(call);
}

void grpc_call_finish(struct grpc_call *call, int status, const char *text)
{
	if (call->ended || call->s.finished)
		return;
	grpc_headers_set_status(&call->s.head, status, text);
	call->fresh = false;
	if (call->accepted) {
		no_more_messages(call);
		return;
	}
	call->s.finished = true;
	if (h2_submit_trailers_only(call->set->h2, &call->s, 200))
		h2call_end(call, GRPC_INTERNAL, "out of memory");
	kick(call);
}

void grpc_call_cancel(struct grpc_call *call, int status, const char *text)
{
	if (call->ended)
		return;
	h2_reset(call->set->h2, &call->s);
	call->s.head.answered = false; /* this end is the caller's own */
	call->s.deaf = true;
	call->paused = false;
	h2call_end(call, status, text);
}

void h2call_silence(struct grpc_call *call)
{
	call->ops = &no_ops;
	call->s.deaf = true;
	call->paused = false;
}

void grpc_call_free(struct grpc_call *call)
{
	grpc_call_cancel(call, GRPC_CANCELLED, "");
	h2call_silence(call);
	make_ready(call);
}

void grpc_call_pause(struct grpc_call *call, bool paused)
{
	if (call->set->dead || call->s.deaf)
		return;
	call->paused = paused;
	if (!paused)
		make_ready(call);
}

void grpc_call_limit(struct grpc_call *call, size_t message_max)
{
	call->message_max = message_max;
}

/* An answer that the peer does not fetch is given a second span. */
static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_call *call = arg;

	if (call->s.finished) {
		grpc_call_cancel(call, GRPC_DEADLINE_EXCEEDED,
				 "the answer was not fetched in time");
		return;
	}
	grpc_call_finish(call, GRPC_DEADLINE_EXCEEDED, "the request took too long");
	event_add(call->deadline, &call->span);
}

int grpc_call_deadline(struct grpc_call *call, unsigned int ms)
{
	call->span = (struct timeval){.tv_sec = ms / 1000,
				      .tv_usec = (suseconds_t)(ms % 1000) * 1000};
	if (!call->deadline)
		call->deadline = evtimer_new(event_get_base(call->set->kick), on_deadline, call);
	return !call->deadline || event_add(call->deadline, &call->span) ? -ENOMEM : 0;
}

struct grpc_conn *grpc_call_conn(const struct grpc_call *call)
{
	return call->set->conn;
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
	call->s.deaf = true;
	if (call->set->h2->server) {
		grpc_call_finish(call, status, text);
	} else if (call->ended) {
		grpc_headers_set_status(&call->s.head, status, text);
	} else {
		grpc_call_cancel(call, status, text);
	}
}

/*
 * Gives the peer back the window of what the owner has taken, and of the part of a message that waits:
 * a message above the window could never come otherwise. Where none may be that large, the window
 * bounds what a peer can make us hold.
 */
static void give_credit(struct grpc_call *call)
{
	bool fits = call->message_max + GRPC_PREFIX_SIZE <= GRPC_STREAM_WINDOW;

	if (h2_give_credit(call->set->h2, &call->s, fits ? evbuffer_get_length(call->s.in) : 0))
		kick(call);
}

/* Returns whether all whole messages have been delivered. */
static bool deliver_messages(struct grpc_call *call)
{
	struct grpc_message m;
	int rc;

	for (int i = 0; i < DELIVER_MESSAGES; i++) {
		if (call->paused)
			return false;
		if (call->s.deaf || (call->set->h2->server && call->s.finished))
			return true;
		rc = grpc_message_peek(call->s.in, call->message_max, &m);
		if (rc < 0) {
			reject_input(call, rc);
			return true;
		}
		if (rc == 0) {
			give_credit(call);
			return true;
		}
		if (call->ops->message)
			call->ops->message(call, m.data, m.len, call->arg);
		grpc_message_drop(call->s.in, &m);
	}
	make_ready(call);
	return false;
}

static void tell_peer_done(struct grpc_call *call)
{
	call->peer_told = true;
	if (evbuffer_get_length(call->s.in)) {
		call->s.deaf = true;
		grpc_call_finish(call, GRPC_INTERNAL, "the last message is cut");
	} else if (call->ops->peer_done) {
		call->ops->peer_done(call, call->arg);
	}
}

static void tell_closed(struct grpc_call *call)
{
	if (!call->set->h2->server && !call->s.deaf && call->s.head.status == GRPC_OK &&
	    evbuffer_get_length(call->s.in))
		grpc_headers_set_status(&call->s.head, GRPC_INTERNAL, "the last message is cut");
	if (call->ops->closed)
		call->ops->closed(call, call->s.head.status, call->s.head.text, call->arg);
	h2call_destroy(call);
}

static void tell_new(struct grpc_call *call)
{
	call->fresh = false;
	call->set->incoming(call->set->conn, call);
	grpc_headers_clear(&call->s.head); /* room that nobody needs any more */
	if (!call->accepted && !call->s.finished && !call->ended)
		grpc_call_finish(call, GRPC_UNIMPLEMENTED, "unknown method");
}

static void tell_drained(struct grpc_call *call)
{
	if (!call->s.drain_below || call->ended || call->s.finished ||
	    evbuffer_get_length(call->s.out) > call->s.drain_below)
		return;
	call->s.drain_below = 0;
	if (call->ops->drained)
		call->ops->drained(call, call->arg);
}

void h2call_deliver(struct grpc_call *call)
{
	bool server = call->set->h2->server;

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
	if (server && call->s.peer_ended && !call->peer_told && !call->s.deaf && !call->s.finished)
		tell_peer_done(call);
	if (call->ended)
		tell_closed(call);
}
