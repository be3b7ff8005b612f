// SPDX-License-Identifier: MIT
/* /v1/rules/{id}/stats/stream: figures as server-sent events. */
#include "api/routes/stream.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "api/call/call.h"
#include "api/call/encode.h"
#include "api/call/scope.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "server/fleet/fleet.h"

/* An edge reports every 5 s and each report is passed on; only without one the timer speaks. */
#define REPORT_GRACE_SECS 1
#define COALESCE_NS	  (NS_PER_SEC / 2)

/*
 * One subscriber. It belongs to what carries it: when the client leaves, client_left() frees it; when
 * the rule goes or the credential ends, it ends the answer.
 */
struct stream {
	struct fleet_watch watch; /* first: what the fleet hands back */
	LIST_ENTRY(stream) entry;
	struct api *api;
	const struct call_transport *transport;
	void *link;
	struct event *timer;
	uint64_t rule_id, sent_ns;
	unsigned flags;
	bool watching;
	struct identity who;
	char session[SECRET_HASH_SIZE]; /* "": by token */
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
	LIST_REMOVE(s, entry);
	event_free(s->timer);
	free(s);
}

static void client_left(void *arg)
{
	stream_free(arg);
}

/* Ends the answer in an orderly way. */
static void stream_end(struct stream *s)
{
	const struct call_transport *t = s->transport;
	void *link = s->link;

	stream_free(s);
	t->stream_end(link, false);
}

/* A reader that stopped. */
static void stream_cut(struct stream *s)
{
	const struct call_transport *t = s->transport;
	void *link = s->link;

	log_event(LOG_WARN, "api.stream_dropped", LOGF_UINT("rule_id", s->rule_id),
		  LOGF_STR("actor", s->who.name), LOGF_STR("reason", "the client does not read"));
	stream_free(s);
	t->stream_end(link, true);
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
	if (s->transport->stream_unread(s->link) > SSE_OUTPUT_MAX) {
		stream_cut(s);
		return false;
	}
	s->transport->stream_send(s->link, chunk);
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

	/* A sign-in that has run out is not told of by anybody. */
	if (!r || (s->session[0] && !access_session_lives(s->api->access, s->session)))
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
	s->transport = c->transport;
	s->link = c->link;
	s->rule_id = r->rule->id;
	s->flags = call_flag(c, "per_target") ? STATS_PER_TARGET : 0;
	s->who = c->who;
	memcpy(s->session, c->session, sizeof(s->session));
	LIST_INSERT_HEAD(&c->api->streams, s, entry);
	s->watch.news = news;
	s->watching = true;
	fleet_watch(r, &s->watch);
	return s;
}

void stats_stream(struct call *c)
{
	const struct call_transport *t = c->transport;
	struct fleet_rule *r = call_rule(c);
	struct stream *s;

	if (!r)
		return;
	if (!t->stream_begin) {
		call_error(c, 400, "bad_request", "a stream needs a connection");
		return;
	}
	/* A proxy on the way hands each event on at once, as it is. */
	call_add_header(c, "Content-Type", "text/event-stream");
	call_add_header(c, "Cache-Control", "no-cache, no-transform");
	call_add_header(c, "X-Accel-Buffering", "no");
	if (c->head) {
		call_empty(c, 200);
		return;
	}
	s = stream_new(c, r);
	if (!s) {
		call_json(c, 500, NULL);
		return;
	}
	t->on_left(s->link, client_left, s);
	t->stream_begin(s->link, c->headers, c->n_headers);
	call_free(c);
	if (send_stats(s, r))
		arm(s, r);
}

void streams_end(struct api *api, const char *name, const char *session)
{
	struct stream *s, *next;

	for (s = LIST_FIRST(&api->streams); s; s = next) {
		next = LIST_NEXT(s, entry);
		if ((!name || !strcmp(s->who.name, name)) &&
		    (!session || !strcmp(s->session, session)))
			stream_end(s);
	}
}

size_t streams_count(const struct api *api)
{
	const struct stream *s;
	size_t n = 0;

	LIST_FOREACH (s, &api->streams, entry) {
		n++;
	}
	return n;
}
