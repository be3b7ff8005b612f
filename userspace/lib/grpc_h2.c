// SPDX-License-Identifier: MIT
/* The HTTP/2 session: what nghttp2 tells us of a peer, and what a peer may not do. */
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/grpc_frame.h"
#include "lib/grpc_impl.h"

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

static void count_flood(struct grpc_conn *c, enum flood kind)
{
	struct flood_count *f = &c->floods[kind];
	uint64_t now = clock_mono_ns();

	if (now - f->since_ns > FLOOD_WINDOW_NS)
		*f = (struct flood_count){.since_ns = now};
	if (++f->n > flood_limits[kind].max)
		h2conn_calm(c, flood_limits[kind].what);
}

static struct grpc_call *call_of(nghttp2_session *h2, int32_t stream)
{
	return nghttp2_session_get_stream_user_data(h2, stream);
}

/* ---- receiving ---- */

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct grpc_conn *c = arg;
	struct grpc_call *call;

	if (!c->role->server || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (c->state != CONN_UP)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	call = h2call_new(c);
	if (!call)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	call->stream = frame->hd.stream_id;
	nghttp2_session_set_stream_user_data(h2, call->stream, call);
	return 0;
}

static bool is(const uint8_t *text, size_t len, const char *want)
{
	return len == strlen(want) && !memcmp(text, want, len);
}

/* "application/grpc", alone or followed by "+proto" or parameters. */
static bool is_grpc_type(const uint8_t *v, size_t len)
{
	static const char type[] = "application/grpc";
	const size_t n = sizeof(type) - 1;

	return len >= n && !memcmp(v, type, n) && (len == n || v[n] == '+' || v[n] == ';');
}

static int keep(char **where, const uint8_t *v, size_t len)
{
	free(*where);
	*where = strndup((const char *)v, len);
	return *where ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int request_header(struct grpc_call *call, const uint8_t *name, size_t n, const uint8_t *v,
			  size_t len)
{
	if (is(name, n, ":method"))
		call->post = is(v, len, "POST");
	else if (is(name, n, ":path"))
		return keep(&call->path, v, len);
	else if (is(name, n, "authorization") && !call->authorization) /* the first one counts */
		return keep(&call->authorization, v, len);
	else if (is(name, n, "content-type"))
		call->grpc_type = is_grpc_type(v, len);
	return 0;
}

static int response_header(struct grpc_call *call, const uint8_t *name, size_t n, const uint8_t *v,
			   size_t len)
{
	if (is(name, n, ":status")) {
		call->http_status = len == 3 ? atoi((const char *)v) : 0;
	} else if (is(name, n, "content-type")) {
		call->grpc_type = is_grpc_type(v, len);
	} else if (is(name, n, "grpc-status")) {
		call->status = grpc_status_parse((const char *)v, len);
		call->answered = true;
	} else if (is(name, n, "grpc-message")) {
		grpc_percent_decode((const char *)v, len, call->text, sizeof(call->text));
	}
	return 0;
}

/* nghttp2 announces our limit but doesn't hold the peer to it. Its values end in a NUL of its own. */
static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t n,
		     const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct grpc_conn *c = arg;
	struct grpc_call *call = call_of(h2, frame->hd.stream_id);

	if (!call)
		return 0;
	call->header_bytes += n + len + 32;
	if (call->header_bytes > GRPC_HEADER_LIST_FATAL) {
		h2conn_calm(c, "header_list_too_large");
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	if (call->header_bytes > GRPC_HEADER_LIST_MAX)
		return 0;
	if (!c->role->server)
		return response_header(call, name, n, value, len);
	return frame->headers.cat == NGHTTP2_HCAT_REQUEST
		       ? request_header(call, name, n, value, len)
		       : 0; /* a client's trailers have no meaning in gRPC */
}

static void refuse(struct grpc_call *call, int http_status, int status, const char *text)
{
	h2call_set_status(call, status, text);
	call->finished = true;
	h2_submit_trailers_only(call, http_status);
}

static void on_request(struct grpc_call *call)
{
	if (call->header_bytes > GRPC_HEADER_LIST_MAX)
		refuse(call, 200, GRPC_RESOURCE_EXHAUSTED, "header list too large");
	else if (!call->post)
		refuse(call, 405, GRPC_UNIMPLEMENTED, "POST only");
	else if (!call->grpc_type || !call->path)
		refuse(call, 415, GRPC_UNIMPLEMENTED, "not a gRPC request");
	else
		call->fresh = true;
	h2call_ready(call);
}

/* The stream's last HEADERS or DATA has come; what does the answer amount to? */
static void on_answer(struct grpc_call *call)
{
	char text[64];

	if (call->answered)
		return;
	call->answered = true;
	if (call->header_bytes > GRPC_HEADER_LIST_MAX) {
		h2call_set_status(call, GRPC_RESOURCE_EXHAUSTED,
				  "the answer's header list is too large");
	} else if (call->http_status != 200) {
		snprintf(text, sizeof(text), "HTTP status %d", call->http_status);
		h2call_set_status(call, grpc_status_from_http(call->http_status), text);
	} else if (!call->grpc_type) {
		h2call_set_status(call, GRPC_UNKNOWN, "the answer is not gRPC");
	} else {
		h2call_set_status(call, GRPC_INTERNAL, "the answer ends without a grpc-status");
	}
}

static void on_end_stream(struct grpc_conn *c, struct grpc_call *call)
{
	call->peer_ended = true;
	h2call_ready(call);
	if (c->role->server)
		return;
	on_answer(call);
	/* The server does not want what we still have. */
	if (!nghttp2_session_get_stream_local_close(c->h2, call->stream))
		nghttp2_submit_rst_stream(c->h2, NGHTTP2_FLAG_NONE, call->stream, NGHTTP2_NO_ERROR);
}

static void on_goaway(struct grpc_conn *c, const nghttp2_goaway *g)
{
	c->peer_goaway = true;
	if (c->why[0])
		return;
	c->err = g->error_code == NGHTTP2_NO_ERROR ? 0 : -ECONNABORTED;
	snprintf(c->why, sizeof(c->why), "the other end said GOAWAY (%s%s%.*s)",
		 nghttp2_http2_strerror(g->error_code), g->opaque_data_len ? ": " : "",
		 g->opaque_data_len < 200 ? (int)g->opaque_data_len : 200,
		 g->opaque_data ? (const char *)g->opaque_data : "");
}

static int on_frame_recv(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct grpc_conn *c = arg;
	struct grpc_call *call = call_of(h2, frame->hd.stream_id);

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		if (call && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			on_request(call);
		break;
	case NGHTTP2_DATA:
		if (frame->hd.length == frame->data.padlen &&
		    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
			count_flood(c, FLOOD_EMPTY_DATA);
		break;
	case NGHTTP2_PING:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			count_flood(c, FLOOD_PING);
		break;
	case NGHTTP2_SETTINGS:
	case NGHTTP2_PRIORITY:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			count_flood(c, FLOOD_CONTROL);
		break;
	case NGHTTP2_GOAWAY:
		on_goaway(c, &frame->goaway);
		break;
	}
	if (call && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		on_end_stream(c, call);
	return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t len, void *arg)
{
	struct grpc_conn *c = arg;
	struct grpc_call *call = call_of(h2, stream);

	/* One call that reads slowly is not to stop the others: only its own window stays shut. */
	nghttp2_session_consume_connection(h2, len);
	if (!call || call->broken || (c->role->server && call->finished))
		return 0; /* nobody will read it, so its window is not opened again */
	if (evbuffer_add(call->in, data, len))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	call->credit += len;
	h2call_ready(call);
	return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t stream, uint32_t code, void *arg)
{
	struct grpc_call *call = call_of(h2, stream);
	char text[96];

	if (!call)
		return 0;
	snprintf(text, sizeof(text), "the other end reset the call (%s)",
		 nghttp2_http2_strerror(code));
	h2call_end(call, call->conn->role->server ? GRPC_CANCELLED : grpc_status_from_h2(code),
		   text);
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
static int on_frame_send(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct grpc_conn *c = arg;
	int32_t stream = frame->hd.stream_id;

	/* Peers probe the bandwidth with a ping when our data arrives. */
	if (frame->hd.type == NGHTTP2_DATA && frame->hd.length)
		c->floods[FLOOD_PING].n = 0;
	if (frame->hd.type == NGHTTP2_RST_STREAM && provoked(frame->rst_stream.error_code))
		count_flood(c, FLOOD_CONTROL);
	if (frame->hd.type == NGHTTP2_GOAWAY && !c->why[0]) {
		c->err = -EPROTO;
		snprintf(c->why, sizeof(c->why), "the other end broke HTTP/2's rules (%s)",
			 nghttp2_http2_strerror(frame->goaway.error_code));
	}
	if (!c->role->server || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
	    (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if (call_of(h2, stream))
		call_of(h2, stream)->answered = true;
	if (nghttp2_session_get_stream_remote_close(h2, stream) == 0)
		nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, stream, NGHTTP2_NO_ERROR);
	return 0;
}

/* A request that could not go out any more has no stream that would be closed. */
static int on_frame_not_send(nghttp2_session *h2, const nghttp2_frame *frame, int error, void *arg)
{
	struct grpc_conn *c = arg;
	struct grpc_call *call;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	TAILQ_FOREACH(call, &c->calls, all)
	{
		if (call->stream == frame->hd.stream_id) {
			h2call_end(call, GRPC_UNAVAILABLE, "the connection takes no new calls");
			break;
		}
	}
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

static int submit_settings(struct grpc_conn *c)
{
	const nghttp2_settings_entry iv[] = {
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, GRPC_STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_HEADER_LIST_MAX},
		c->role->server ? (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
							   c->limits.calls_max}
				: (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	};

	if (nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, iv, sizeof(iv) / sizeof(iv[0])) ||
	    nghttp2_session_set_local_window_size(c->h2, NGHTTP2_FLAG_NONE, 0, GRPC_CONN_WINDOW))
		return -ENOMEM;
	return 0;
}

int h2_session_new(struct grpc_conn *c)
{
	nghttp2_session_callbacks *cb = new_callbacks();
	nghttp2_option *opt = new_options();
	int rc = -ENOMEM;

	if (cb && opt)
		rc = c->role->server ? nghttp2_session_server_new2(&c->h2, cb, c, opt)
				     : nghttp2_session_client_new2(&c->h2, cb, c, opt);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(opt);
	if (!rc && submit_settings(c)) {
		nghttp2_session_del(c->h2);
		rc = -ENOMEM;
	}
	return rc ? -ENOMEM : 0;
}
