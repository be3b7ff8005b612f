// SPDX-License-Identifier: MIT
/* /v1/rules/{id}/stats/stream: figures as server-sent events. */
#include "api/sse.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include "api/api_internal.h"
#include "api/conn.h"
#include "api/encode.h"
#include "lib/clock.h"
#include "lib/log.h"

/* An edge reports every 5 s and each report is passed on; only without one the timer speaks. */
#define REPORT_GRACE_SECS 1
#define COALESCE_NS	  (NS_PER_SEC / 2)

/*
 * One subscriber. It belongs to its connection: when that closes, client_left() frees it; when the
 * rule goes or the credential is revoked, it ends the reply.
 */
struct stream {
	struct fleet_watch watch; /* first: what the fleet hands back */
	struct stream *next, **prev;
	struct api *api;
	struct evhttp_request *req;
	struct event *timer;
	uint64_t rule_id, sent_ns;
	unsigned flags;
	bool watching;
	struct identity who;
};

void sse_frame(struct evbuffer *out, const char *name, const char *data)
{
	evbuffer_add_printf(out, "event: %s\n", name);
	while (data) {
		const char *end = strchr(data, '\n');

		evbuffer_add(out, "data: ", 6);
		evbuffer_add(out, data, end ? (size_t)(end - data) : strlen(data));
		evbuffer_add(out, "\n", 1);
		data = end ? end + 1 : NULL;
	}
	evbuffer_add(out, "\n", 1);
}

static void stream_free(struct stream *s)
{
	if (s->watching)
		fleet_unwatch(&s->watch);
	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
	event_free(s->timer);
	free(s);
}

static void client_left(struct evhttp_connection *evcon, void *arg)
{
	struct stream *s = arg;

	api_request_left(s->req);
	stream_free(s);
}

/* Ends the reply in an orderly way. */
static void stream_end(struct stream *s)
{
	struct evhttp_request *req = s->req;

	evhttp_connection_set_closecb(evhttp_request_get_connection(req), NULL, NULL);
	stream_free(s);
	evhttp_send_reply_end(req);
}

static size_t unread(struct stream *s)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(s->req);

	return evbuffer_get_length(
		bufferevent_get_output(evhttp_connection_get_bufferevent(evcon)));
}

/* The connection of a reader that stopped; freeing it frees the stream by client_left(). */
static void stream_cut(struct stream *s)
{
	log_event(LOG_WARN, "api.stream_dropped", LOGF_UINT("rule_id", s->rule_id),
		  LOGF_STR("actor", s->who.name), LOGF_STR("reason", "the client does not read"));
	evhttp_connection_free(evhttp_request_get_connection(s->req));
}

static void arm(struct stream *s, const struct fleet_rule *r)
{
	struct timeval wait = {.tv_sec = SSE_PERIOD_SECS};

	if (fleet_is_connected(r->client))
		wait.tv_sec += REPORT_GRACE_SECS;
	event_add(s->timer, &wait);
}

/* Sends what @fill has put into a buffer. False: the stream is gone. */
static bool send_chunk(struct stream *s, struct evbuffer *chunk)
{
	if (unread(s) > SSE_OUTPUT_MAX) {
		stream_cut(s);
		return false;
	}
	evhttp_send_reply_chunk(s->req, chunk);
	s->sent_ns = clock_mono_ns();
	return true;
}

static bool send_stats(struct stream *s, const struct fleet_rule *r)
{
	json_t *body = encode_stats(r, s->flags);
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct evbuffer *chunk = evbuffer_new();
	bool alive = true;

	if (text && chunk) {
		sse_frame(chunk, "stats", text);
		alive = send_chunk(s, chunk);
	}
	json_decref(body);
	free(text);
	if (chunk)
		evbuffer_free(chunk);
	return alive;
}

static void period_over(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	struct fleet_rule *r = fleet_rule(s->api->fleet, s->rule_id);

	if (!r)
		stream_end(s);
	else if (send_stats(s, r))
		arm(s, r);
}

static void news(struct fleet_watch *w, struct fleet_rule *r, enum fleet_news what)
{
	struct stream *s = (struct stream *)w;

	if (what == FLEET_GONE) {
		s->watching = false; /* the fleet has taken it off already */
		stream_end(s);
		return;
	}
	/* Reports that operators asked for come at any rate; a stream needs one of them a while. */
	if (what == FLEET_REPORTED && clock_mono_ns() - s->sent_ns < COALESCE_NS)
		return;
	if (send_stats(s, r))
		arm(s, r);
}

static struct stream *stream_new(struct call *c, struct fleet_rule *r)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->timer = evtimer_new(c->api->base, period_over, s);
	if (!s->timer) {
		free(s);
		return NULL;
	}
	s->api = c->api;
	s->req = api_call_request(c);
	s->rule_id = r->rule->id;
	s->flags = call_flag(c, "per_target") ? STATS_PER_TARGET : 0;
	s->who = c->who;
	s->next = c->api->streams;
	s->prev = &c->api->streams;
	if (s->next)
		s->next->prev = &s->next;
	c->api->streams = s;
	s->watch.news = news;
	s->watching = true;
	fleet_watch(r, &s->watch);
	return s;
}

void stats_stream(struct call *c)
{
	struct fleet_rule *r = call_rule(c);
	struct evkeyvalq *out;
	struct stream *s;

	if (!r)
		return;
	if (!api_call_request(c)) {
		call_error(c, 400, "bad_request", "a stream needs a connection");
		return;
	}
	if (c->head) {
		call_add_header(c, "Cache-Control", "no-cache");
		call_buffer(c, 200, "text/event-stream", NULL);
		return;
	}
	s = stream_new(c, r);
	if (!s) {
		call_json(c, 500, NULL);
		return;
	}
	out = evhttp_request_get_output_headers(s->req);
	evhttp_add_header(out, "Content-Type", "text/event-stream");
	evhttp_add_header(out, "Cache-Control", "no-cache");
	conn_streaming(c->api->conns, s->req);
	evhttp_connection_set_closecb(evhttp_request_get_connection(s->req), client_left, s);
	api_call_free(c);
	evhttp_send_reply_start(s->req, 200, "OK");
	if (send_stats(s, r))
		arm(s, r);
}

void streams_end(struct api *api, const char *name)
{
	struct stream *s, *next;

	for (s = api->streams; s; s = next) {
		next = s->next;
		if (!name || !strcmp(s->who.name, name))
			stream_end(s);
	}
}

size_t streams_count(const struct api *api)
{
	size_t n = 0;

	for (const struct stream *s = api->streams; s; s = s->next)
		n++;
	return n;
}
