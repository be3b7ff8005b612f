// SPDX-License-Identifier: MIT
/* The HTTP/2 session: what nghttp2 tells us of a peer, what a peer may not do, and what a stream sends. */
#include "lib/grpc/h2.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/utf8.h"
#include "lib/grpc/frame.h"

#define FLOOD_WINDOW_NS (10 * NS_PER_SEC)

/* Per window. A well-meant peer pings once per round trip while we send; see on_frame_send(). */
static const struct {
	unsigned int max;
	const char *what;
} flood_limits[FLOOD_KINDS] = {
	[FLOOD_PING] = {20, "too_many_pings"},
	[FLOOD_EMPTY_DATA] = {100, "too_many_empty_data_frames"},
	[FLOOD_CONTROL] = {200, "too_many_control_frames"},
};

static void count_flood(struct h2 *h, enum flood kind)
{
	struct flood_count *f = &h->floods[kind];
	uint64_t now = clock_mono_ns();

	if (now - f->since_ns > FLOOD_WINDOW_NS)
		*f = (struct flood_count){.since_ns = now};
	if (++f->n > flood_limits[kind].max)
		h->link->calm(h->link_arg, flood_limits[kind].what);
}

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* ---- sending ---- */

/* nghttp2 asks for the next piece of a stream's queue. */
static ssize_t read_queue(nghttp2_session *session, int32_t id, uint8_t *buf, size_t size,
			  uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = stream_of(session, id);
	struct grpc_fields f = {.n = 0};
	int n;

	if (!s)
		return NGHTTP2_ERR_DEFERRED; /* cancelled; the reset is queued */
	n = evbuffer_remove(s->out, buf, size);
	if (n < 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (s->drain_below && evbuffer_get_length(s->out) <= s->drain_below)
		h->streams->news(h->streams_arg, s);
	if (evbuffer_get_length(s->out))
		return n;
	if (s->finished) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (h->server) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			grpc_fields_status(&f, &s->head);
			if (nghttp2_submit_trailer(session, id, f.nv, f.n))
				return NGHTTP2_ERR_CALLBACK_FAILURE;
		}
	} else if (n == 0) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return n;
}

static const nghttp2_data_provider queue = {.read_callback = read_queue};

int h2_submit_request(struct h2 *h, struct h2_stream *s)
{
	struct grpc_fields f;

	grpc_fields_request(&f, &s->head, h->authority);
	s->id = nghttp2_submit_request(h->session, NULL, f.nv, f.n, &queue, s);
	return s->id < 0 ? -ENOMEM : 0;
}

int h2_submit_response(struct h2 *h, struct h2_stream *s)
{
	struct grpc_fields f;

	grpc_fields_response(&f, 200);
	return nghttp2_submit_response(h->session, s->id, f.nv, f.n, &queue) ? -ENOMEM : 0;
}

int h2_submit_trailers_only(struct h2 *h, struct h2_stream *s, int http_status)
{
	struct grpc_fields f;

	grpc_fields_response(&f, http_status);
	grpc_fields_status(&f, &s->head);
	return nghttp2_submit_response(h->session, s->id, f.nv, f.n, NULL) ? -ENOMEM : 0;
}

void h2_resume(struct h2 *h, struct h2_stream *s)
{
	if (!s->deferred)
		return;
	s->deferred = false;
	nghttp2_session_resume_data(h->session, s->id);
}

bool h2_give_credit(struct h2 *h, struct h2_stream *s, size_t keep)
{
	size_t credit = s->credit > keep ? s->credit - keep : 0;

	if (s->id < 0 || !credit)
		return false;
	s->credit -= credit;
	nghttp2_session_consume_stream(h->session, s->id, credit);
	return true;
}

void h2_reset(struct h2 *h, struct h2_stream *s)
{
	if (s->id >= 0)
		nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
}

void h2_leave(struct h2 *h, struct h2_stream *s)
{
	if (s->id >= 0)
		nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
	s->id = -1;
}

/* ---- receiving ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s;

	if (!h->server || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (h->refuse_new)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	s = h->streams->opened(h->streams_arg, frame->hd.stream_id);
	if (!s)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(session, s->id, s);
	return 0;
}

/* nghttp2 announces our limit but doesn't hold the peer to it. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t n, const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = stream_of(session, frame->hd.stream_id);
	int rc = 0;

	if (!s)
		return 0;
	s->head.bytes += n + len + 32;
	if (s->head.bytes > GRPC_HEADER_LIST_FATAL) {
		h->link->calm(h->link_arg, "header_list_too_large");
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	if (s->head.bytes > GRPC_HEADER_LIST_MAX)
		return 0;
	if (!h->server)
		rc = grpc_headers_answer(&s->head, name, n, value, len);
	else if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) /* trailers of a client mean nothing */
		rc = grpc_headers_request(&s->head, name, n, value, len);
	return rc ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static void on_request(struct h2 *h, struct h2_stream *s)
{
	int http_status, status;
	const char *wrong = grpc_headers_refuse(&s->head, &http_status, &status);

	if (!wrong) {
		h->streams->request(h->streams_arg, s);
		return;
	}
	grpc_headers_set_status(&s->head, status, wrong);
	s->finished = true;
	h2_submit_trailers_only(h, s, http_status);
	h->streams->news(h->streams_arg, s);
}

static void on_end_stream(struct h2 *h, struct h2_stream *s)
{
	s->peer_ended = true;
	h->streams->news(h->streams_arg, s);
	if (h->server)
		return;
	grpc_headers_complete(&s->head);
	/* The server does not want what we still have. */
	if (!nghttp2_session_get_stream_local_close(h->session, s->id))
		nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
}

static void on_goaway(struct h2 *h, const nghttp2_goaway *g)
{
	char said[200], why[GRPC_TEXT_SIZE];

	h->peer_goaway = true;
	utf8_copy(said, sizeof(said), g->opaque_data ? (const char *)g->opaque_data : "",
		  g->opaque_data_len);
	utf8_format(why, sizeof(why), "the other end said GOAWAY (%s%s%s)",
		    nghttp2_http2_strerror(g->error_code), said[0] ? ": " : "", said);
	h->link->goaway(h->link_arg, g->error_code == NGHTTP2_NO_ERROR ? 0 : -ECONNABORTED, why);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = stream_of(session, frame->hd.stream_id);

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		if (s && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			on_request(h, s);
		break;
	case NGHTTP2_DATA:
		if (frame->hd.length == frame->data.padlen &&
		    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
			count_flood(h, FLOOD_EMPTY_DATA);
		break;
	case NGHTTP2_PING:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			count_flood(h, FLOOD_PING);
		break;
	case NGHTTP2_SETTINGS:
	case NGHTTP2_PRIORITY:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			count_flood(h, FLOOD_CONTROL);
		break;
	case NGHTTP2_GOAWAY:
		on_goaway(h, &frame->goaway);
		break;
	}
	if (s && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		on_end_stream(h, s);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t len, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = stream_of(session, stream);

	/* One call that reads slowly is not to stop the others: only its own window stays shut. */
	nghttp2_session_consume_connection(session, len);
	if (!s || s->deaf || (h->server && s->finished))
		return 0; /* nobody will read it, so its window is not opened again */
	if (evbuffer_add(s->in, data, len))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	s->credit += len;
	h->streams->news(h->streams_arg, s);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = stream_of(session, stream);
	char text[96];

	if (!s)
		return 0;
	snprintf(text, sizeof(text), "the other end reset the call (%s)",
		 nghttp2_http2_strerror(code));
	h->streams->closed(h->streams_arg, s,
			   h->server ? GRPC_CANCELLED : grpc_status_from_h2(code), text);
	return 0;
}

/* ---- what became of our frames ---- */

/* Whether only a peer's mistake makes us reset a stream so. Nghttp2's limit is on resets it receives. */
static bool provoked(uint32_t error_code)
{
	return error_code != NGHTTP2_NO_ERROR && error_code != NGHTTP2_CANCEL &&
	       error_code != NGHTTP2_REFUSED_STREAM;
}

/* After our END_STREAM a peer that is still sending would keep the stream, and its place among the
 * allowed ones, for ever. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;
	int32_t stream = frame->hd.stream_id;
	char why[128];

	/* Peers probe the bandwidth with a ping when our data arrives. */
	if (frame->hd.type == NGHTTP2_DATA && frame->hd.length)
		h->floods[FLOOD_PING].n = 0;
	if (frame->hd.type == NGHTTP2_RST_STREAM && provoked(frame->rst_stream.error_code))
		count_flood(h, FLOOD_CONTROL);
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		snprintf(why, sizeof(why), "the other end broke HTTP/2's rules (%s)",
			 nghttp2_http2_strerror(frame->goaway.error_code));
		h->link->goaway(h->link_arg, -EPROTO, why);
	}
	if (!h->server || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
	    (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if (stream_of(session, stream))
		stream_of(session, stream)->head.answered = true;
	if (nghttp2_session_get_stream_remote_close(session, stream) == 0)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_NO_ERROR);
	return 0;
}

/* A request that could not go out any more has no stream that would be closed. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error,
			     void *arg)
{
	struct h2 *h = arg;

	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		h->streams->unsent(h->streams_arg, frame->hd.stream_id);
	return 0;
}

/* ---- the session ---- */

static nghttp2_session_callbacks *new_callbacks(void)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb))
		return NULL;
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_frame_not_send);
	return cb;
}

static nghttp2_option *new_options(void)
{
	nghttp2_option *opt;

	if (nghttp2_option_new(&opt))
		return NULL;
	nghttp2_option_set_no_auto_window_update(opt, 1);
	nghttp2_option_set_no_closed_streams(opt, 1);
	nghttp2_option_set_max_outbound_ack(opt, 100);
	nghttp2_option_set_max_settings(opt, 32);
	nghttp2_option_set_max_continuations(opt, 8);
	nghttp2_option_set_stream_reset_rate_limit(opt, 500, 33);
	return opt;
}

static int submit_settings(struct h2 *h, unsigned int calls_max)
{
	const nghttp2_settings_entry iv[] = {
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, GRPC_STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_HEADER_LIST_MAX},
		h->server ? (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
						     calls_max}
			  : (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	};

	if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, iv,
				    sizeof(iv) / sizeof(iv[0])) ||
	    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
						  GRPC_CONN_WINDOW))
		return -ENOMEM;
	return 0;
}

int h2_init(struct h2 *h, unsigned int calls_max)
{
	nghttp2_session_callbacks *cb = new_callbacks();
	nghttp2_option *opt = new_options();
	int rc = -ENOMEM;

	if (cb && opt)
		rc = h->server ? nghttp2_session_server_new2(&h->session, cb, h, opt)
			       : nghttp2_session_client_new2(&h->session, cb, h, opt);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(opt);
	if (!rc && submit_settings(h, calls_max)) {
		nghttp2_session_del(h->session);
		rc = -ENOMEM;
	}
	return rc ? -ENOMEM : 0;
}
