// SPDX-License-Identifier: MIT
/*
 * gRPC below TLS against a peer that is written by hand, frame by frame: what ill-behaved clients and
 * foreign servers send, and what exactly goes out on the wire.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/grpc/conn.h"

enum {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW_UPDATE,
	CONTINUATION
};

#define END_STREAM  0x1
#define ACK	    0x1
#define END_HEADERS 0x4

/* What has come from the connection under test. */
struct wire {
	struct event_base *base;
	struct bufferevent *bev;
	struct grpc_conn *conn; /* NULL when it has ended */
	nghttp2_hd_deflater *deflater;
	nghttp2_hd_inflater *inflater;
	struct evbuffer *in;
	size_t skip; /* a client's magic, which is no frame */
	int err;
	char why[GRPC_TEXT_SIZE];
	/* of its frames */
	int http_status, grpc_status, rsts, ping_acks, goaways, data_bytes;
	uint32_t rst_code, goaway_code;
	char goaway_text[64], message[128], order[64], authorization[64];
	bool authorization_indexed;
	uint32_t settings[8], conn_window, stream_credit;
	/* of its calls */
	int calls, messages, peer_done, closed, closed_status;
	size_t bytes;
	char text[GRPC_TEXT_SIZE], seen_authorization[64];
};

static void role_up(struct grpc_conn *c)
{
}

static void role_ended(struct grpc_conn *c)
{
	struct wire *w = c->owner;

	w->conn = NULL;
	w->err = c->err;
	snprintf(w->why, sizeof(w->why), "%s", c->why);
}

static void on_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	struct wire *w = arg;

	w->messages++;
	w->bytes += len;
	if (w->conn->h2.server)
		grpc_call_send(call, data, len);
}

static void on_peer_done(struct grpc_call *call, void *arg)
{
	((struct wire *)arg)->peer_done++;
	grpc_call_finish(call, GRPC_OK, NULL);
}

static void on_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct wire *w = arg;

	w->closed++;
	w->closed_status = status;
	snprintf(w->text, sizeof(w->text), "%s", text);
}

static const struct grpc_call_ops ops = {on_message, on_peer_done, NULL, on_closed};

static void role_call(struct grpc_conn *c, struct grpc_call *call)
{
	struct wire *w = c->owner;

	w->calls++;
	snprintf(w->seen_authorization, sizeof(w->seen_authorization), "%s",
		 call->s.head.authorization ? call->s.head.authorization : "");
	if (!strcmp(call->s.head.path, "/small"))
		grpc_call_limit(call, 200000);
	if (!strcmp(call->s.head.path, "/refuse"))
		grpc_call_finish(call, GRPC_UNAUTHENTICATED, "100%");
	else
		grpc_call_accept(call, &ops, w);
}

static const struct h2conn_role server_role = {true, role_up, role_call, role_ended};
static const struct h2conn_role client_role = {false, role_up, NULL, role_ended};

/* ---- writing frames ---- */

static void put(struct wire *w, const void *data, size_t len)
{
	bufferevent_write(w->bev, data, len);
}

static void frame(struct wire *w, int type, int flags, uint32_t stream, const void *payload,
		  size_t len)
{
	const uint8_t h[9] = {
		(uint8_t)(len >> 16),	 (uint8_t)(len >> 8),	 (uint8_t)len,
		(uint8_t)type,		 (uint8_t)flags,	 (uint8_t)(stream >> 24),
		(uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};

	put(w, h, sizeof(h));
	put(w, payload, len);
}

struct field {
	const char *name, *value;
};

static size_t encode(struct wire *w, const struct field *f, size_t n, uint8_t *out, size_t size)
{
	nghttp2_nv nv[16];
	ssize_t len;

	for (size_t i = 0; i < n; i++)
		nv[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)f[i].name,
				     (uint8_t *)(uintptr_t)f[i].value, strlen(f[i].name),
				     strlen(f[i].value), NGHTTP2_NV_FLAG_NO_INDEX};
	len = nghttp2_hd_deflate_hd(w->deflater, out, size, nv, n);
	assert_true(len > 0);
	return (size_t)len;
}

static void headers(struct wire *w, uint32_t stream, int flags, const struct field *f, size_t n)
{
	uint8_t block[16384];

	frame(w, HEADERS, flags | END_HEADERS, stream, block,
	      encode(w, f, n, block, sizeof(block)));
}

#define REQUEST(path)                                                                    \
	{":method", "POST"}, {":scheme", "https"}, {":path", path}, {":authority", "h"}, \
		{"te", "trailers"},                                                      \
	{                                                                                \
		"content-type", "application/grpc"                                       \
	}
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void request(struct wire *w, uint32_t stream, int flags)
{
	const struct field f[] = {REQUEST("/echo")};

	headers(w, stream, flags, f, COUNT(f));
}

/* ---- reading frames ---- */

static void read_headers(struct wire *w, const uint8_t *block, size_t len)
{
	for (;;) {
		nghttp2_nv nv;
		int flags;
		ssize_t n = nghttp2_hd_inflate_hd2(w->inflater, &nv, &flags, block, len, 1);

		assert_true(n >= 0);
		block += n;
		len -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			if (!strcmp((char *)nv.name, ":status"))
				w->http_status = atoi((char *)nv.value);
			if (!strcmp((char *)nv.name, "grpc-status"))
				w->grpc_status = atoi((char *)nv.value);
			if (!strcmp((char *)nv.name, "authorization")) {
				w->authorization_indexed = !(nv.flags & NGHTTP2_NV_FLAG_NO_INDEX);
				snprintf(w->authorization, sizeof(w->authorization), "%s",
					 (char *)nv.value);
			}
			if (!strcmp((char *)nv.name, "grpc-message"))
				snprintf(w->message, sizeof(w->message), "%s", (char *)nv.value);
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL) {
			nghttp2_hd_inflate_end_headers(w->inflater);
			break;
		}
	}
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A frame with its header of nine bytes; @len is of what follows. */
static void read_frame(struct wire *w, const uint8_t *h, size_t len)
{
	/* The order of what belongs to streams: H headers, h headers that end, D, d, R. */
	static const char *const letters[] = {"Dd", "Hh", "", "RR"};
	const int type = h[3], flags = h[4];
	const uint32_t stream = be32(h + 5);
	const uint8_t *p = h + 9;
	size_t n = strlen(w->order);

	if (type <= RST_STREAM && type != PRIORITY && n + 1 < sizeof(w->order)) {
		w->order[n] = letters[type][type != RST_STREAM && flags & END_STREAM];
		w->order[n + 1] = '\0';
	}
	switch (type) {
	case HEADERS:
		read_headers(w, p, len);
		break;
	case DATA:
		w->data_bytes += (int)len;
		break;
	case RST_STREAM:
		w->rsts++;
		w->rst_code = be32(p);
		break;
	case SETTINGS:
		for (; len >= 6; p += 6, len -= 6)
			if (p[1] < 8)
				w->settings[p[1]] = be32(p + 2);
		break;
	case WINDOW_UPDATE:
		if (stream)
			w->stream_credit += be32(p);
		else if (!w->conn_window)
			w->conn_window = 65535 + be32(p);
		break;
	case PING:
		w->ping_acks += flags & ACK;
		break;
	case GOAWAY:
		w->goaways++;
		w->goaway_code = be32(p + 4);
		snprintf(w->goaway_text, sizeof(w->goaway_text), "%.*s", (int)(len - 8), p + 8);
		break;
	}
}

static void on_input(struct bufferevent *bev, void *arg)
{
	struct wire *w = arg;

	bufferevent_read_buffer(bev, w->in);
	if (w->skip && evbuffer_get_length(w->in) >= w->skip) {
		evbuffer_drain(w->in, w->skip);
		w->skip = 0;
	}
	for (;;) {
		uint8_t *h = evbuffer_pullup(w->in, 9);
		size_t len;

		if (!h)
			return;
		len = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
		h = evbuffer_pullup(w->in, (ssize_t)(9 + len));
		if (!h)
			return;
		read_frame(w, h, len);
		evbuffer_drain(w->in, 9 + len);
	}
}

/* Runs the loop until it has nothing to do now. */
static void settle(struct wire *w)
{
	for (int i = 0; i < 50; i++)
		event_base_loop(w->base, EVLOOP_NONBLOCK);
}

static struct wire *wire_new(const struct h2conn_role *role)
{
	struct wire *w = calloc(1, sizeof(*w));
	const struct grpc_limits limits = {.shutdown_ms = 50};
	struct bufferevent *pair[2];

	w->base = event_base_new();
	w->grpc_status = -1;
	w->in = evbuffer_new();
	nghttp2_hd_deflate_new(&w->deflater, 0);
	nghttp2_hd_inflate_new(&w->inflater);
	assert_int_equal(bufferevent_pair_new(w->base, BEV_OPT_DEFER_CALLBACKS, pair), 0);
	w->bev = pair[0];
	bufferevent_setcb(w->bev, on_input, NULL, NULL, w);
	bufferevent_enable(w->bev, EV_READ | EV_WRITE);
	w->conn = h2conn_new(w->base, role, w, &limits);
	w->conn->h2.authority = "h";
	h2conn_start(w->conn, pair[1]);
	return w;
}

static struct wire *server_wire(void)
{
	struct wire *w = wire_new(&server_role);

	put(w, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
	frame(w, SETTINGS, 0, 0, "", 0);
	frame(w, SETTINGS, ACK, 0, "", 0);
	settle(w);
	return w;
}

static struct wire *client_wire(void)
{
	struct wire *w = wire_new(&client_role);

	frame(w, SETTINGS, 0, 0, "", 0);
	assert_non_null(grpc_call_open(w->conn, "/x", "Bearer t", &ops, w));
	w->skip = NGHTTP2_CLIENT_MAGIC_LEN;
	settle(w);
	return w;
}

static void wire_free(struct wire *w)
{
	if (w->conn)
		grpc_conn_free(w->conn);
	bufferevent_free(w->bev);
	settle(w);
	evbuffer_free(w->in);
	nghttp2_hd_deflate_del(w->deflater);
	nghttp2_hd_inflate_del(w->inflater);
	event_base_free(w->base);
	free(w);
}

static void expect_calm(struct wire *w, const char *what)
{
	settle(w);
	assert_int_equal(w->goaways, 1);
	assert_int_equal(w->goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
	assert_string_equal(w->goaway_text, what);
}

/* ---- a server and its clients ---- */

static void test_byte_by_byte(void **state)
{
	struct wire *w = wire_new(&server_role);
	struct evbuffer *all = evbuffer_new();
	struct bufferevent *bev = w->bev;
	const uint8_t message[] = {0, 0, 0, 0, 3, 'a', 'b', 'c'};

	/* Collected first, then given in single bytes. */
	put(w, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
	bufferevent_disable(bev, EV_WRITE);
	evbuffer_add_buffer(all, bufferevent_get_output(bev));
	frame(w, SETTINGS, 0, 0, "", 0);
	request(w, 1, 0);
	for (size_t i = 0; i < sizeof(message); i++)
		frame(w, DATA, i + 1 == sizeof(message) ? END_STREAM : 0, 1, message + i, 1);
	evbuffer_add_buffer(all, bufferevent_get_output(bev));
	bufferevent_enable(bev, EV_WRITE);
	while (evbuffer_get_length(all)) {
		uint8_t c;

		evbuffer_remove(all, &c, 1);
		put(w, &c, 1);
		event_base_loop(w->base, EVLOOP_NONBLOCK);
	}
	settle(w);
	assert_int_equal(w->messages, 1);
	assert_int_equal(w->bytes, 3);
	assert_int_equal(w->data_bytes, 8);
	assert_int_equal(w->grpc_status, GRPC_OK);
	assert_string_equal(w->order, "HDh");
	evbuffer_free(all);
	wire_free(w);
}

static void test_settings(void **state)
{
	struct wire *w = server_wire();

	assert_int_equal(w->settings[NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE], 256 << 10);
	assert_int_equal(w->settings[NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE], 16 << 10);
	assert_int_equal(w->settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS], 128);
	assert_int_equal(w->conn_window, 1 << 20);
	wire_free(w);
}

static void test_headers_come_first(void **state)
{
	struct wire *w = server_wire();

	request(w, 1, 0);
	settle(w);
	assert_string_equal(w->order, "H"); /* before any message of either side */
	assert_int_equal(w->http_status, 200);
	wire_free(w);
}

static void test_trailers_only(void **state)
{
	struct wire *w = server_wire();
	const struct field f[] = {REQUEST("/refuse")};

	/* The client is still sending: one HEADERS, then a reset that frees the stream. */
	headers(w, 1, 0, f, COUNT(f));
	settle(w);
	assert_string_equal(w->order, "hR");
	assert_int_equal(w->rst_code, NGHTTP2_NO_ERROR);
	assert_int_equal(w->http_status, 200);
	assert_int_equal(w->grpc_status, GRPC_UNAUTHENTICATED);
	assert_string_equal(w->message, "100%25");
	assert_true(TAILQ_EMPTY(&w->conn->calls.all));
	/* The client has ended: no reset. */
	headers(w, 3, END_STREAM, f, COUNT(f));
	settle(w);
	assert_string_equal(w->order, "hRh");
	assert_true(TAILQ_EMPTY(&w->conn->calls.all));
	wire_free(w);
}

static void refused(const struct field *f, size_t n, int http, int grpc)
{
	struct wire *w = server_wire();

	headers(w, 1, END_STREAM, f, n);
	settle(w);
	assert_int_equal(w->http_status, http);
	assert_int_equal(w->grpc_status, grpc);
	assert_int_equal(w->calls, 0);
	assert_non_null(w->conn);
	wire_free(w);
}

static void test_not_grpc(void **state)
{
	struct field get[] = {REQUEST("/echo")}, json[] = {REQUEST("/echo")},
		     prefix[] = {REQUEST("/echo")};
	const struct field none[] = {{":method", "POST"},
				     {":scheme", "https"},
				     {":path", "/echo"},
				     {":authority", "h"}};

	get[0].value = "GET";
	refused(get, COUNT(get), 405, GRPC_UNIMPLEMENTED);
	json[5].value = "application/json";
	refused(json, COUNT(json), 415, GRPC_UNIMPLEMENTED);
	prefix[5].value = "application/grpcweb";
	refused(prefix, COUNT(prefix), 415, GRPC_UNIMPLEMENTED);
	refused(none, COUNT(none), 415, GRPC_UNIMPLEMENTED);
}

static void bad_message(const void *data, size_t len, int status)
{
	struct wire *w = server_wire();

	request(w, 1, 0);
	frame(w, DATA, 0, 1, data, len);
	frame(w, DATA, 0, 1, "xxxxxxxx", 8);
	settle(w);
	assert_int_equal(w->grpc_status, status);
	assert_int_equal(w->messages, 0);
	assert_int_equal(w->closed, 1);
	assert_int_equal(w->closed_status, status);
	assert_int_equal(w->peer_done, 0);
	assert_int_equal(w->rsts, 1);
	wire_free(w);
}

static void test_bad_messages(void **state)
{
	struct wire *w;

	bad_message("\1\0\0\0\1a", 6, GRPC_UNIMPLEMENTED);
	bad_message("\0\0\x40\0\1", 5, GRPC_RESOURCE_EXHAUSTED);
	bad_message("\0\xff\xff\xff\xff", 5, GRPC_RESOURCE_EXHAUSTED);
	bad_message("\7\0\0\0\1a", 6, GRPC_INTERNAL);
	/* Cut in the middle. */
	w = server_wire();
	request(w, 1, 0);
	frame(w, DATA, END_STREAM, 1, "\0\0\0\0\5ab", 7);
	settle(w);
	assert_int_equal(w->grpc_status, GRPC_INTERNAL);
	assert_int_equal(w->peer_done, 0);
	assert_int_equal(w->closed, 1);
	wire_free(w);
}

/* A header block of @n fields of 4 KiB each, in as many CONTINUATION frames as it takes. */
static void long_headers(struct wire *w, int n, size_t piece)
{
	static char value[4000];
	static uint8_t block[200000];
	const struct field f[] = {REQUEST("/echo")};
	const struct field filler = {"x-filler", value};
	size_t len = encode(w, f, COUNT(f), block, sizeof(block)), at = 0;

	memset(value, '{', sizeof(value) - 1); /* Huffman makes it longer, so it stays literal */
	for (int i = 0; i < n; i++)
		len += encode(w, &filler, 1, block + len, sizeof(block) - len);
	while (at < len) {
		size_t now = len - at < piece ? len - at : piece;

		frame(w, at ? CONTINUATION : HEADERS, at + now == len ? END_HEADERS : 0, 1,
		      block + at, now);
		at += now;
	}
	settle(w);
}

static void test_header_list(void **state)
{
	struct wire *w = server_wire();

	long_headers(w, 3, 16384);
	assert_int_equal(w->calls, 1);
	wire_free(w);

	w = server_wire();
	long_headers(w, 5, 16384);
	assert_int_equal(w->calls, 0);
	assert_int_equal(w->grpc_status, GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(w->goaways, 0);
	wire_free(w);

	w = server_wire();
	long_headers(w, 20, 16384);
	expect_calm(w, "header_list_too_large");
	assert_int_equal(w->calls, 0);
	wire_free(w);
}

static void test_continuations(void **state)
{
	struct wire *w = server_wire();

	long_headers(w, 3, 8000); /* a few are fine */
	assert_int_equal(w->calls, 1);
	wire_free(w);
	w = server_wire();
	long_headers(w, 3, 500);
	assert_null(w->conn);
	assert_int_equal(w->calls, 0);
	wire_free(w);
}

static void test_pings(void **state)
{
	struct wire *w = server_wire();

	for (int i = 0; i < 20; i++)
		frame(w, PING, 0, 0, "12345678", 8);
	settle(w);
	assert_int_equal(w->ping_acks, 20);
	assert_int_equal(w->goaways, 0);
	frame(w, PING, 0, 0, "12345678", 8);
	expect_calm(w, "too_many_pings");
	wire_free(w);
}

/* Our data make peers ping, to measure the link. */
static void test_pings_with_data(void **state)
{
	struct wire *w = server_wire();

	request(w, 1, 0);
	for (int i = 0; i < 100; i++) {
		frame(w, DATA, 0, 1, "\0\0\0\0\1x", 6);
		settle(w);
		frame(w, PING, 0, 0, "12345678", 8);
		settle(w);
	}
	assert_int_equal(w->ping_acks, 100);
	assert_int_equal(w->goaways, 0);
	wire_free(w);
}

static void test_floods(void **state)
{
	struct wire *w = server_wire();
	uint8_t many[33 * 6] = {0};

	request(w, 1, 0);
	for (int i = 0; i < 101; i++)
		frame(w, DATA, 0, 1, "", 0);
	expect_calm(w, "too_many_empty_data_frames");
	wire_free(w);

	w = server_wire();
	for (int i = 0; i < 250; i++) {
		frame(w, SETTINGS, 0, 0, "", 0);
		if (i % 10 == 0)
			settle(w); /* acknowledged in time, so it is not their number that is refused */
	}
	expect_calm(w, "too_many_control_frames");
	wire_free(w);

	/* Entries of one frame: nghttp2 counts them. */
	w = server_wire();
	for (int i = 0; i < 33; i++)
		many[i * 6 + 1] = 5, many[i * 6 + 4] = 0x40;
	frame(w, SETTINGS, 0, 0, many, sizeof(many));
	settle(w);
	assert_true(!w->conn || w->goaways == 1);
	wire_free(w);

	/* Acknowledgements that the peer doesn't read. */
	w = server_wire();
	for (int i = 0; i < 2000; i++)
		frame(w, PING, 0, 0, "12345678", 8);
	settle(w);
	assert_true(!w->conn || w->goaways == 1);
	wire_free(w);
}

static void test_reset_flood(void **state)
{
	struct wire *w = server_wire();
	uint32_t stream = 1;

	for (; stream < 2 * 450; stream += 2) {
		request(w, stream, 0);
		frame(w, RST_STREAM, 0, stream, "\0\0\0\x8", 4);
	}
	settle(w);
	assert_int_equal(w->goaways, 0);
	for (; stream < 2 * 1500; stream += 2) {
		request(w, stream, 0);
		frame(w, RST_STREAM, 0, stream, "\0\0\0\x8", 4);
	}
	settle(w);
	assert_int_equal(w->goaways, 1);
	wire_free(w);
}

/* Streams that the peer makes us reset: they cost as much as those it resets itself. */
static void test_provoked_resets(void **state)
{
	struct wire *w = server_wire();

	for (uint32_t stream = 1; stream < 2 * 250; stream += 2) {
		request(w, stream, 0);
		frame(w, WINDOW_UPDATE, 0, stream, "\x7f\xff\xff\xff", 4);
		settle(w);
	}
	expect_calm(w, "too_many_control_frames");
	assert_true(w->calls <= 202);
	wire_free(w);
}

/* A part of a message opens the window again only where a message may be larger than the window. */
static void test_no_window_for_a_part(void **state)
{
	static const char *const paths[] = {"/echo", "/small"};
	static const char part[16000];

	for (int i = 0; i < 2; i++) {
		struct wire *w = server_wire();
		const struct field f[] = {REQUEST(paths[i])};

		headers(w, 1, 0, f, COUNT(f));
		frame(w, DATA, 0, 1, "\0\0\x03\x0d\x40", 5);
		for (int n = 0; n < 12; n++) {
			frame(w, DATA, 0, 1, part, sizeof(part));
			settle(w);
		}
		assert_int_equal(w->messages, 0);
		if (i)
			assert_int_equal(w->stream_credit, 0);
		else
			assert_true(w->stream_credit > 0);
		/* What is whole is given back. */
		frame(w, DATA, 0, 1, part, 8000);
		frame(w, DATA, 0, 1, "\0\0\0\0\0", 5);
		settle(w);
		assert_int_equal(w->messages, 2);
		assert_true(w->stream_credit > 0);
		wire_free(w);
	}
}

static void test_two_tokens(void **state)
{
	struct wire *w = server_wire();
	const struct field f[] = {REQUEST("/echo"),
				  {"authorization", "first"},
				  {"authorization", "2"}};

	headers(w, 1, 0, f, COUNT(f));
	settle(w);
	assert_string_equal(w->seen_authorization, "first");
	wire_free(w);
}

static void test_bad_magic(void **state)
{
	struct wire *w = wire_new(&server_role);

	put(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 28);
	settle(w);
	assert_null(w->conn);
	assert_int_equal(w->err, -EPROTO);
	wire_free(w);
}

static void test_broken_rules(void **state)
{
	struct wire *w = server_wire();

	frame(w, DATA, 0, 5, "x", 1); /* a stream that was never opened */
	settle(w);
	assert_int_equal(w->goaways, 1);
	assert_int_equal(w->goaway_code, NGHTTP2_PROTOCOL_ERROR);
	wire_free(w);
}

static void test_stream_limit(void **state)
{
	struct wire *w = wire_new(&server_role);

	/* Before the client can know the limit, what is above it is refused one by one. */
	put(w, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
	frame(w, SETTINGS, 0, 0, "", 0);
	for (uint32_t i = 0; i < 200; i++)
		request(w, 1 + 2 * i, 0);
	settle(w);
	assert_int_equal(w->calls, 128);
	assert_int_equal(w->rsts, 72);
	assert_int_equal(w->rst_code, NGHTTP2_REFUSED_STREAM);
	assert_int_equal(w->goaways, 0);
	/* After that it breaks the rules. */
	frame(w, SETTINGS, ACK, 0, "", 0);
	request(w, 401, 0);
	settle(w);
	assert_int_equal(w->calls, 128);
	assert_int_equal(w->goaways, 1);
	wire_free(w);
}

/* ---- a client and its server ---- */

static void answer(const struct field *f, size_t n, int status, const char *word)
{
	struct wire *w = client_wire();

	headers(w, 1, END_STREAM, f, n);
	settle(w);
	assert_int_equal(w->closed, 1);
	assert_int_equal(w->closed_status, status);
	if (!strstr(w->text, word))
		fail_msg("\"%s\" does not say \"%s\"", w->text, word);
	wire_free(w);
}

static void test_answers(void **state)
{
	const struct field ok[] = {{":status", "200"},
				   {"content-type", "application/grpc+proto"},
				   {"grpc-status", "16"},
				   {"grpc-message", "a%20b%"}};
	const struct field not_found[] = {{":status", "404"}, {"content-type", "text/html"}};
	const struct field html[] = {{":status", "200"}, {"content-type", "text/html"}};
	const struct field silent[] = {{":status", "200"}, {"content-type", "application/grpc"}};
	const struct field odd[] = {{":status", "200"},
				    {"content-type", "application/grpc"},
				    {"grpc-status", "abc"}};

	answer(ok, COUNT(ok), GRPC_UNAUTHENTICATED, "a b%");
	answer(not_found, COUNT(not_found), GRPC_UNIMPLEMENTED, "404");
	answer(html, COUNT(html), GRPC_UNKNOWN, "not gRPC");
	answer(silent, COUNT(silent), GRPC_INTERNAL, "grpc-status");
	answer(odd, COUNT(odd), GRPC_UNKNOWN, "");
}

static void test_answer_with_data(void **state)
{
	const struct field first[] = {{":status", "200"}, {"content-type", "application/grpc"}};
	const struct field last[] = {{"grpc-status", "0"}};
	struct wire *w = client_wire();

	headers(w, 1, 0, first, COUNT(first));
	frame(w, DATA, 0, 1, "\0\0\0\0\2ab\0\0\0\0\0", 12);
	headers(w, 1, END_STREAM, last, COUNT(last));
	settle(w);
	assert_int_equal(w->messages, 2);
	assert_int_equal(w->closed_status, GRPC_OK);
	/* Our half was open: it is closed, so that the stream ends. */
	assert_true(TAILQ_EMPTY(&w->conn->calls.all));
	wire_free(w);

	/* The end comes in the middle of a message. */
	w = client_wire();
	headers(w, 1, 0, first, COUNT(first));
	frame(w, DATA, 0, 1, "\0\0\0\0\2a", 6);
	headers(w, 1, END_STREAM, last, COUNT(last));
	settle(w);
	assert_int_equal(w->closed_status, GRPC_INTERNAL);
	wire_free(w);

	/* DATA that ends the stream instead of trailers; a compressed message. */
	w = client_wire();
	headers(w, 1, 0, first, COUNT(first));
	frame(w, DATA, END_STREAM, 1, "\0\0\0\0\0", 5);
	settle(w);
	assert_int_equal(w->messages, 1);
	assert_int_equal(w->closed_status, GRPC_INTERNAL);
	wire_free(w);

	w = client_wire();
	headers(w, 1, 0, first, COUNT(first));
	frame(w, DATA, 0, 1, "\1\0\0\0\1a", 6);
	settle(w);
	assert_int_equal(w->messages, 0);
	assert_int_equal(w->closed_status, GRPC_UNIMPLEMENTED);
	wire_free(w);
}

/* The token stays out of compression tables, where a guess could be compared with it. */
static void test_authorization(void **state)
{
	struct wire *w = client_wire();

	assert_string_equal(w->authorization, "Bearer t");
	assert_false(w->authorization_indexed);
	assert_int_equal(w->settings[NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE], 256 << 10);
	wire_free(w);
}

static void reset(const char *code, int status)
{
	struct wire *w = client_wire();

	frame(w, RST_STREAM, 0, 1, code, 4);
	settle(w);
	assert_int_equal(w->closed, 1);
	assert_int_equal(w->closed_status, status);
	wire_free(w);
}

static void test_resets(void **state)
{
	reset("\0\0\0\x7", GRPC_UNAVAILABLE);
	reset("\0\0\0\x8", GRPC_CANCELLED);
	reset("\0\0\0\xb", GRPC_RESOURCE_EXHAUSTED);
	reset("\0\0\0\0", GRPC_INTERNAL);
}

static void test_goaway(void **state)
{
	struct wire *w = client_wire();

	/* The call is above the last stream: refused; then nothing is left to wait for. */
	frame(w, GOAWAY, 0, 0, "\0\0\0\0\0\0\0\xbtoo_many_pings", 22);
	settle(w);
	assert_int_equal(w->closed, 1);
	assert_int_equal(w->closed_status, GRPC_UNAVAILABLE);
	assert_true(!w->conn || w->conn->state == CONN_LINGER);
	bufferevent_flush(w->bev, EV_WRITE, BEV_FINISHED);
	settle(w);
	assert_null(w->conn);
	assert_int_equal(w->err, -ECONNABORTED);
	assert_non_null(strstr(w->why, "too_many_pings"));
	wire_free(w);

	/* The call is below: it goes on, but no new one begins. */
	w = client_wire();
	frame(w, GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0", 8);
	settle(w);
	assert_int_equal(w->closed, 0);
	assert_null(grpc_call_open(w->conn, "/y", NULL, &ops, w));
	assert_int_equal(errno, ENOTCONN);
	wire_free(w);
}

static void test_large_answer_headers(void **state)
{
	static char value[6000];
	const struct field first[] = {{":status", "200"},
				      {"content-type", "application/grpc"},
				      {"x-filler", value}};
	const struct field last[] = {{"x-filler", value},
				     {"x-filler", value},
				     {"grpc-status", "0"}};
	struct wire *w = client_wire();

	memset(value, 'v', sizeof(value) - 1);
	headers(w, 1, 0, first, COUNT(first));
	headers(w, 1, END_STREAM, last, COUNT(last));
	settle(w);
	assert_int_equal(w->closed_status, GRPC_RESOURCE_EXHAUSTED);
	wire_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_headers_come_first),
		cmocka_unit_test(test_trailers_only),
		cmocka_unit_test(test_not_grpc),
		cmocka_unit_test(test_bad_messages),
		cmocka_unit_test(test_header_list),
		cmocka_unit_test(test_continuations),
		cmocka_unit_test(test_pings),
		cmocka_unit_test(test_pings_with_data),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_reset_flood),
		cmocka_unit_test(test_provoked_resets),
		cmocka_unit_test(test_no_window_for_a_part),
		cmocka_unit_test(test_two_tokens),
		cmocka_unit_test(test_bad_magic),
		cmocka_unit_test(test_broken_rules),
		cmocka_unit_test(test_stream_limit),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_answer_with_data),
		cmocka_unit_test(test_authorization),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_goaway),
		cmocka_unit_test(test_large_answer_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
