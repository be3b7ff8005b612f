// SPDX-License-Identifier: MIT
/* gRPC client and server of ours in one loop, over TLS on loopback, with ephemeral ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <ifaddrs.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/grpc/grpc.h"
#include "lib/base/log.h"
#include "lib/tls/tls.h"

static char dir[64], cert[96], key[96];
static SSL_CTX *tls;
static uint8_t pin[TLS_PIN_SIZE];

static int group_set_up(void **state)
{
	const char *const hosts[] = {"localhost", "127.0.0.1"};
	char why[TLS_ERROR_SIZE];

	signal(SIGPIPE, SIG_IGN);
	strcpy(dir, "/tmp/portunus-grpc-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(cert, sizeof(cert), "%s/c", dir);
	snprintf(key, sizeof(key), "%s/k", dir);
	if (tls_cert_generate(cert, key, "localhost", hosts, 2) || tls_pin_of_file(cert, pin))
		return -1;
	return tls_server_ctx(cert, key, TLS_ALPN_H2, &tls, why);
}

static int group_tear_down(void **state)
{
	SSL_CTX_free(tls);
	unlink(cert);
	unlink(key);
	return rmdir(dir);
}

/* What the server does with a call depends on its path. */
struct server_call {
	struct server_call *next; /* of the rig's, which frees them at its end */
	struct rig *rig;
	struct grpc_call *call;
	int left; /* messages still to be sent (Source) */
};

struct rig {
	struct event_base *base;
	struct grpc_server *server;
	struct grpc_conn *conn;
	struct grpc_limits server_limits, client_limits;
	uint8_t pin[TLS_PIN_SIZE];
	/* seen by the server */
	int calls, server_closed, server_status, server_messages, server_done, refused_sends;
	char authorization[64], peer[ADDR_TEXT_MAX];
	struct grpc_call *last;
	struct server_call *made;
	bool stopped;
	/* seen by the client's connection */
	bool up, down;
	int down_err;
	char down_why[512];
};

/* What a client sees of one call. */
struct seen {
	struct rig *rig;
	struct grpc_call *call;
	int messages, closed, status, drained;
	size_t bytes;
	char text[512];
	uint8_t first;
	void (*on_message)(struct seen *s);
};

static const uint8_t big[GRPC_MESSAGE_MAX + 1];

/* Runs the loop until *flag or for @ms. */
static void run_until(struct rig *r, const void *what, bool (*done)(const void *), int ms)
{
	uint64_t end = clock_mono_ns() + (uint64_t)ms * NS_PER_MS;

	while (!(done && done(what)) && clock_mono_ns() < end) {
		struct timeval tv = {.tv_usec = 2000};

		event_base_loopexit(r->base, &tv);
		event_base_dispatch(r->base);
	}
}

static bool is_closed(const void *s)
{
	return ((const struct seen *)s)->closed > 0;
}

static bool is_down(const void *r)
{
	return ((const struct rig *)r)->down;
}

static bool is_up(const void *r)
{
	return ((const struct rig *)r)->up;
}

static bool is_stopped(const void *r)
{
	return ((const struct rig *)r)->stopped;
}

static bool server_saw_close(const void *r)
{
	return ((const struct rig *)r)->server_closed > 0;
}

static bool server_saw_call(const void *r)
{
	return ((const struct rig *)r)->calls > 0;
}

static bool has_message(const void *s)
{
	return ((const struct seen *)s)->messages > 0;
}

/* ---- the server's side ---- */

static void source_more(struct server_call *sc)
{
	while (sc->left) {
		int rc = grpc_call_send(sc->call, big, 100000);

		if (rc == -EAGAIN) {
			sc->rig->refused_sends++;
			assert_true(grpc_call_queued(sc->call) <= 1 << 20);
			return;
		}
		assert_int_equal(rc, 0);
		sc->left--;
	}
	grpc_call_finish(sc->call, GRPC_OK, NULL);
}

static void echo_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	struct server_call *sc = arg;

	sc->rig->server_messages++;
	grpc_call_send(call, data, len);
}

static void count_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	((struct server_call *)arg)->rig->server_messages++;
}

static void echo_done(struct grpc_call *call, void *arg)
{
	((struct server_call *)arg)->rig->server_done++;
	grpc_call_finish(call, GRPC_OK, NULL);
}

static void source_drained(struct grpc_call *call, void *arg)
{
	source_more(arg);
}

static void server_call_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct server_call *sc = arg;

	sc->rig->server_closed++;
	sc->rig->server_status = status;
	sc->rig->last = NULL;
}

static void free_on_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	struct server_call *sc = arg;

	grpc_call_free(call);
	sc->rig->last = NULL;
}

static void stop_on_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	struct server_call *sc = arg;

	grpc_server_free(sc->rig->server);
	sc->rig->server = NULL;
}

static const struct grpc_call_ops echo_ops = {echo_message, echo_done, NULL, server_call_closed};
static const struct grpc_call_ops hang_ops = {count_message, NULL, NULL, server_call_closed};
static const struct grpc_call_ops source_ops = {NULL, NULL, source_drained, server_call_closed};
static const struct grpc_call_ops free_ops = {free_on_message, NULL, NULL, NULL};
static const struct grpc_call_ops stop_ops = {stop_on_message, NULL, NULL, NULL};

static void on_call(struct grpc_server *server, struct grpc_call *call, const char *path,
		    const char *authorization, void *arg)
{
	struct rig *r = arg;
	struct server_call *sc;

	r->calls++;
	snprintf(r->authorization, sizeof(r->authorization), "%s",
		 authorization ? authorization : "none");
	addr_text_host(grpc_conn_peer(grpc_call_conn(call)), r->peer, sizeof(r->peer));
	if (!strcmp(path, "/t/Unknown"))
		return;
	if (!strcmp(path, "/t/Refuse")) {
		grpc_call_finish(call, GRPC_UNAUTHENTICATED, "token_revoked");
		return;
	}
	sc = calloc(1, sizeof(*sc));
	*sc = (struct server_call){.next = r->made, .rig = r, .call = call, .left = 200};
	r->made = sc;
	r->last = call;
	if (!strcmp(path, "/t/Echo")) {
		grpc_call_accept(call, &echo_ops, sc);
	} else if (!strcmp(path, "/t/Source")) {
		grpc_call_accept(call, &source_ops, sc);
		source_more(sc);
	} else if (!strcmp(path, "/t/Late")) {
		grpc_call_accept(call, &hang_ops, sc);
		grpc_call_send(call, "x", 1);
		grpc_call_finish(call, GRPC_FAILED_PRECONDITION, "gr\xc3\xbc\xc3\x9f\x65: 100%\n");
	} else if (!strcmp(path, "/t/Free")) {
		grpc_call_accept(call, &free_ops, sc);
	} else if (!strcmp(path, "/t/Stop")) {
		grpc_call_accept(call, &stop_ops, sc);
	} else if (!strcmp(path, "/t/Hurry")) {
		grpc_call_accept(call, &hang_ops, sc);
		assert_int_equal(grpc_call_deadline(call, 50), 0);
	} else if (!strcmp(path, "/t/Small")) {
		grpc_call_limit(call, 1000);
		grpc_call_accept(call, &echo_ops, sc);
	} else if (!strcmp(path, "/t/Known")) {
		grpc_conn_known(grpc_call_conn(call));
		grpc_call_accept(call, &echo_ops, sc);
	} else if (!strcmp(path, "/t/Pause")) {
		grpc_call_accept(call, &hang_ops, sc);
		grpc_call_pause(call, true);
	} else {
		grpc_call_accept(call, &hang_ops, sc);
	}
}

static void on_stopped(struct grpc_server *server, void *arg)
{
	struct rig *r = arg;

	assert_false(r->stopped);
	r->stopped = true;
	r->server = NULL;
}

static const struct grpc_server_ops server_ops = {on_call, on_stopped};

/* ---- the client's side ---- */

static void on_up(struct grpc_conn *conn, void *arg)
{
	struct rig *r = arg;

	assert_false(r->up);
	r->up = true;
}

static void on_down(struct grpc_conn *conn, int err, const char *why, void *arg)
{
	struct rig *r = arg;

	assert_false(r->down);
	r->down = true;
	r->down_err = err;
	r->conn = NULL;
	snprintf(r->down_why, sizeof(r->down_why), "%s", why);
}

static const struct grpc_conn_ops conn_ops = {on_up, on_down};

static void seen_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	struct seen *s = arg;

	assert_int_equal(s->closed, 0);
	if (!s->messages)
		s->first = len ? data[0] : 0;
	s->messages++;
	s->bytes += len;
	if (s->on_message)
		s->on_message(s);
}

static void seen_drained(struct grpc_call *call, void *arg)
{
	((struct seen *)arg)->drained++;
}

static void seen_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct seen *s = arg;

	s->closed++;
	s->status = status;
	s->call = NULL;
	snprintf(s->text, sizeof(s->text), "%s", text);
}

static const struct grpc_call_ops client_ops = {seen_message, NULL, seen_drained, seen_closed};

static void start_server(struct rig *r)
{
	struct grpc_server_conf conf = {.tls = tls, .limits = r->server_limits};

	assert_int_equal(addr_parse_literal("127.0.0.1", 0, &conf.listen), 0);
	assert_int_equal(grpc_server_new(r->base, &conf, &server_ops, r, &r->server), 0);
}

static void start_client(struct rig *r, const char *host, uint16_t port)
{
	struct grpc_client_conf conf = {.host = host,
					.port = port,
					.pin = r->pin,
					.limits = r->client_limits};

	r->conn = grpc_client_connect(r->base, &conf, &conn_ops, r);
	assert_non_null(r->conn);
}

static struct rig *rig_new(void)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->base = event_base_new();
	r->client_limits.shutdown_ms = r->server_limits.shutdown_ms = 300;
	memcpy(r->pin, pin, sizeof(pin));
	return r;
}

static struct rig *rig_connected(void)
{
	struct rig *r = rig_new();

	start_server(r);
	start_client(r, "127.0.0.1", grpc_server_port(r->server));
	return r;
}

static void rig_free(struct rig *r)
{
	struct server_call *sc;

	if (r->conn)
		grpc_conn_free(r->conn);
	run_until(r, NULL, NULL, 10);
	if (r->server) {
		grpc_server_shutdown(r->server);
		run_until(r, r, is_stopped, 1000);
		assert_true(r->stopped);
	}
	event_base_free(r->base);
	while ((sc = r->made)) {
		r->made = sc->next;
		free(sc);
	}
	free(r);
}

static void open_call(struct rig *r, struct seen *s, const char *path)
{
	s->rig = r;
	s->call = grpc_call_open(r->conn, path, "Bearer t", &client_ops, s);
	assert_non_null(s->call);
}

static void expect_closed(struct rig *r, struct seen *s, int status)
{
	run_until(r, s, is_closed, 5000);
	assert_int_equal(s->closed, 1);
	if (s->status != status)
		fail_msg("status %d (%s), not %d", s->status, s->text, status);
}

/* ---- tests ---- */

static void test_unary(void **state)
{
	struct rig *r = rig_connected();
	struct seen s = {0};

	/* Opened before the connection is up; nothing calls back from inside. */
	open_call(r, &s, "/t/Echo");
	assert_int_equal(grpc_call_send(s.call, "hello", 5), 0);
	grpc_call_done(s.call);
	assert_int_equal(grpc_call_send(s.call, "x", 1), -EPIPE);
	assert_int_equal(s.closed + s.messages, 0);
	expect_closed(r, &s, GRPC_OK);
	assert_int_equal(s.messages, 1);
	assert_int_equal(s.bytes, 5);
	assert_int_equal(s.first, 'h');
	assert_string_equal(s.text, "");
	assert_true(r->up);
	assert_string_equal(r->authorization, "Bearer t");
	assert_string_equal(r->peer, "127.0.0.1");
	run_until(r, r, server_saw_close, 1000);
	assert_int_equal(r->server_closed, 1);
	assert_int_equal(r->server_status, GRPC_OK);
	assert_int_equal(r->server_done, 1);
	rig_free(r);
}

static void ping_pong(struct seen *s)
{
	if (s->messages < 100)
		assert_int_equal(grpc_call_send(s->call, &s->messages, sizeof(s->messages)), 0);
	else
		grpc_call_done(s->call);
}

static void test_bidi(void **state)
{
	struct rig *r = rig_connected();
	struct seen s = {.on_message = ping_pong};

	open_call(r, &s, "/t/Echo");
	assert_int_equal(grpc_call_send(s.call, "", 0), 0);
	expect_closed(r, &s, GRPC_OK);
	assert_int_equal(s.messages, 100);
	assert_int_equal(r->server_messages, 100);
	rig_free(r);
}

static void test_errors(void **state)
{
	struct rig *r = rig_connected();
	struct seen refused = {0}, unknown = {0}, late = {0};

	/* Trailers-only, while this side still sends. */
	open_call(r, &refused, "/t/Refuse");
	grpc_call_send(refused.call, "x", 1);
	expect_closed(r, &refused, GRPC_UNAUTHENTICATED);
	assert_string_equal(refused.text, "token_revoked");
	open_call(r, &unknown, "/t/Unknown");
	expect_closed(r, &unknown, GRPC_UNIMPLEMENTED);
	open_call(r, &late, "/t/Late");
	expect_closed(r, &late, GRPC_FAILED_PRECONDITION);
	assert_string_equal(late.text, "gr\xc3\xbc\xc3\x9f\x65: 100%\n");
	assert_int_equal(late.messages, 1);
	run_until(r, r, server_saw_close, 1000);
	assert_int_equal(r->server_status, GRPC_FAILED_PRECONDITION);
	rig_free(r);
}

static void test_large(void **state)
{
	struct rig *r = rig_connected();
	struct seen s = {0}, over = {0};

	open_call(r, &s, "/t/Echo");
	assert_int_equal(grpc_call_send(s.call, big, GRPC_MESSAGE_MAX), 0);
	assert_int_equal(grpc_call_send(s.call, big, GRPC_MESSAGE_MAX + 1), -EMSGSIZE);
	grpc_call_done(s.call);
	expect_closed(r, &s, GRPC_OK);
	assert_int_equal(s.bytes, GRPC_MESSAGE_MAX);

	/* A client with a higher limit than the server's. */
	grpc_conn_free(r->conn);
	r->up = false;
	r->client_limits.message_max = GRPC_MESSAGE_MAX + 1;
	start_client(r, "127.0.0.1", grpc_server_port(r->server));
	open_call(r, &over, "/t/Echo");
	assert_int_equal(grpc_call_send(over.call, big, GRPC_MESSAGE_MAX + 1), 0);
	expect_closed(r, &over, GRPC_RESOURCE_EXHAUSTED);
	rig_free(r);
}

/* And a server with a higher limit than the client's. */
static void test_large_answer(void **state)
{
	struct rig *r = rig_new();
	struct seen s = {0};

	r->client_limits.message_max = 1000;
	start_server(r);
	start_client(r, "127.0.0.1", grpc_server_port(r->server));
	open_call(r, &s, "/t/Source");
	expect_closed(r, &s, GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(s.messages, 0);
	run_until(r, r, server_saw_close, 1000);
	assert_int_equal(r->server_status, GRPC_CANCELLED);
	rig_free(r);
}

static void test_back_pressure(void **state)
{
	struct rig *r = rig_connected();
	struct seen s = {0};
	struct seen other = {0};

	open_call(r, &s, "/t/Source");
	grpc_call_pause(s.call, true);
	run_until(r, NULL, NULL, 200);
	assert_int_equal(s.messages, 0);
	assert_true(r->refused_sends > 0);
	assert_int_equal(r->server_closed, 0);
	/* The stream is shut, the connection is not. */
	open_call(r, &other, "/t/Echo");
	grpc_call_send(other.call, big, 500000);
	grpc_call_done(other.call);
	expect_closed(r, &other, GRPC_OK);
	grpc_call_pause(s.call, false);
	expect_closed(r, &s, GRPC_OK);
	assert_int_equal(s.messages, 200);
	assert_int_equal(s.bytes, 200 * 100000);
	rig_free(r);
}

static void test_send_queue(void **state)
{
	struct rig *r = rig_connected();
	struct seen s = {0};
	int n = 0;

	open_call(r, &s, "/t/Pause");
	while (grpc_call_send(s.call, big, 100000) == 0)
		n++;
	assert_int_equal(n, 10);
	run_until(r, NULL, NULL, 200);
	assert_int_equal(s.drained, 0); /* 256 KiB of window: not yet three quarters */
	assert_int_equal(r->server_messages, 0);
	grpc_call_pause(r->last, false);
	run_until(r, NULL, NULL, 200);
	assert_int_equal(s.drained, 1);
	assert_int_equal(grpc_call_queued(s.call), 0);
	assert_int_equal(r->server_messages, 10);
	rig_free(r);
}

static void test_cancel_client(void **state)
{
	struct rig *r = rig_connected();
	struct seen s = {0};

	open_call(r, &s, "/t/Hang");
	run_until(r, r, server_saw_call, 2000);
	grpc_call_cancel(s.call, GRPC_DEADLINE_EXCEEDED, "too slow");
	assert_int_equal(s.closed, 0);
	expect_closed(r, &s, GRPC_DEADLINE_EXCEEDED);
	assert_string_equal(s.text, "too slow");
	run_until(r, r, server_saw_close, 1000);
	assert_int_equal(r->server_status, GRPC_CANCELLED);
	rig_free(r);
}

static void test_cancel_server(void **state)
{
	struct rig *r = rig_connected();
	struct seen s = {0};

	open_call(r, &s, "/t/Hang");
	run_until(r, r, server_saw_call, 2000);
	grpc_call_cancel(r->last, GRPC_ABORTED, "gone");
	expect_closed(r, &s, GRPC_CANCELLED);
	assert_int_equal(r->server_closed, 1);
	assert_int_equal(r->server_status, GRPC_ABORTED);
	rig_free(r);
}

static void test_goaway(void **state)
{
	struct rig *r = rig_connected();
	struct seen s = {0}, late = {0};

	open_call(r, &s, "/t/Hang");
	run_until(r, r, server_saw_call, 2000);
	grpc_server_shutdown(r->server);
	assert_false(r->stopped);
	expect_closed(r, &s, GRPC_UNAVAILABLE);
	assert_non_null(strstr(s.text, "shutting down"));
	run_until(r, r, is_down, 1000);
	assert_true(r->down);
	assert_int_equal(r->down_err, 0);
	assert_non_null(strstr(r->down_why, "GOAWAY"));
	run_until(r, r, is_stopped, 1000);
	assert_true(r->stopped);
	assert_int_equal(r->server_closed, 1);
	assert_int_equal(late.closed, 0);
	rig_free(r);
}

static void test_client_close(void **state)
{
	struct rig *r = rig_connected();
	struct seen s = {0};

	open_call(r, &s, "/t/Hang");
	run_until(r, r, server_saw_call, 2000);
	grpc_conn_close(r->conn);
	assert_null(grpc_call_open(r->conn, "/t/Echo", NULL, &client_ops, &s));
	assert_int_equal(errno, ENOTCONN);
	expect_closed(r, &s, GRPC_UNAVAILABLE);
	run_until(r, r, is_down, 1000);
	assert_true(r->down);
	assert_int_equal(r->down_err, 0);
	assert_int_equal(r->server_closed, 1);
	rig_free(r);
}

static void test_pin_mismatch(void **state)
{
	struct rig *r = rig_new();
	struct seen s = {0};

	start_server(r);
	r->pin[0] ^= 1;
	start_client(r, "127.0.0.1", grpc_server_port(r->server));
	open_call(r, &s, "/t/Echo");
	expect_closed(r, &s, GRPC_UNAVAILABLE);
	assert_non_null(strstr(s.text, "fingerprint mismatch"));
	run_until(r, r, is_down, 1000);
	assert_int_equal(r->down_err, -EKEYREJECTED);
	assert_false(r->up);
	rig_free(r);
}

static void test_no_alpn(void **state)
{
	struct rig *r = rig_new();
	SSL_CTX *plain, *kept = tls;
	char why[TLS_ERROR_SIZE];

	/* A server that knows no ALPN. */
	assert_int_equal(tls_server_ctx(cert, key, NULL, &plain, why), 0);
	tls = plain;
	start_server(r);
	tls = kept;
	SSL_CTX_free(plain);
	start_client(r, "127.0.0.1", grpc_server_port(r->server));
	run_until(r, r, is_down, 2000);
	assert_int_equal(r->down_err, -EPROTONOSUPPORT);
	rig_free(r);
}

static void test_refused_and_names(void **state)
{
	struct rig *r = rig_new();
	uint16_t port;

	start_server(r);
	port = grpc_server_port(r->server);
	/* A name, by the helper thread; ::1 may come first and refuses. */
	start_client(r, "localhost", port);
	run_until(r, r, is_up, 3000);
	assert_true(r->up);
	grpc_conn_free(r->conn);
	grpc_server_shutdown(r->server);
	run_until(r, r, is_stopped, 1000);
	start_client(r, "127.0.0.1", port);
	run_until(r, r, is_down, 2000);
	assert_int_equal(r->down_err, -ECONNREFUSED);
	r->down = false;
	start_client(r, "no-such-host.invalid", port);
	run_until(r, r, is_down, 9000);
	assert_int_equal(r->down_err, -EHOSTUNREACH);
	/* Freed while its lookup is on its way. */
	start_client(r, "localhost", port);
	rig_free(r);
}

/* A listener that accepts (the kernel does) and never says a word. */
static int silent_listener(uint16_t *port)
{
	union addr a;
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr_parse_literal("127.0.0.1", 0, &a);
	assert_int_equal(bind(fd, &a.sa, addr_len(&a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, &a.sa, &len), 0);
	*port = addr_port(&a);
	return fd;
}

static void test_setup_timeout(void **state)
{
	struct rig *r = rig_new();
	uint16_t port;
	int fd = silent_listener(&port);

	r->client_limits.setup_ms = 100;
	start_client(r, "127.0.0.1", port);
	run_until(r, r, is_down, 1000);
	assert_int_equal(r->down_err, -ETIMEDOUT);
	close(fd);
	rig_free(r);
}

static bool peer_closed(const void *p)
{
	char c;

	return recv(*(const int *)p, &c, 1, MSG_DONTWAIT) == 0;
}

static void test_server_setup_timeout(void **state)
{
	struct rig *r = rig_new();
	union addr a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	r->server_limits.setup_ms = 100;
	start_server(r);
	addr_parse_literal("127.0.0.1", grpc_server_port(r->server), &a);
	assert_int_equal(connect(fd, &a.sa, addr_len(&a)), 0);
	run_until(r, &fd, peer_closed, 1000);
	assert_true(peer_closed(&fd));
	close(fd);
	rig_free(r);
}

static void test_keepalive(void **state)
{
	struct rig *r = rig_new();
	struct seen s = {0};

	/* The peer answers pings, so it lives, and an idle server keeps it while it has a call. */
	r->client_limits.keepalive_ms = r->server_limits.keepalive_ms = 50;
	r->client_limits.keepalive_reply_ms = r->server_limits.keepalive_reply_ms = 500;
	r->server_limits.idle_ms = 100;
	start_server(r);
	start_client(r, "127.0.0.1", grpc_server_port(r->server));
	open_call(r, &s, "/t/Hang");
	run_until(r, r, is_down, 400);
	assert_false(r->down);
	assert_int_equal(s.closed, 0);
	/* Without a call it is sent away. */
	grpc_call_free(s.call);
	run_until(r, r, is_down, 3000);
	assert_true(r->down);
	assert_int_equal(s.closed, 0);
	rig_free(r);
}

/* Two loops, so that one end can fall silent while its sockets stay open. */
static void test_silent_server(void **state)
{
	struct rig *r = rig_new(), *frozen = rig_new();
	struct seen s = {0};

	r->client_limits.keepalive_ms = 60;
	r->client_limits.keepalive_reply_ms = 60;
	start_server(frozen);
	start_client(r, "127.0.0.1", grpc_server_port(frozen->server));
	open_call(r, &s, "/t/Hang");
	for (int i = 0; i < 200 && !frozen->calls; i++) {
		run_until(r, NULL, NULL, 3);
		run_until(frozen, NULL, NULL, 3);
	}
	assert_int_equal(frozen->calls, 1);
	expect_closed(r, &s, GRPC_UNAVAILABLE);
	run_until(r, r, is_down, 1000);
	assert_int_equal(r->down_err, -ETIMEDOUT);
	assert_non_null(strstr(r->down_why, "keep-alive"));
	rig_free(r);
	rig_free(frozen);
}

static void test_silent_client(void **state)
{
	struct rig *r = rig_new(), *frozen = rig_new();
	struct seen s = {0};

	r->server_limits.keepalive_ms = 60;
	r->server_limits.keepalive_reply_ms = 60;
	start_server(r);
	start_client(frozen, "127.0.0.1", grpc_server_port(r->server));
	open_call(frozen, &s, "/t/Hang");
	for (int i = 0; i < 200 && !r->calls; i++) {
		run_until(r, NULL, NULL, 3);
		run_until(frozen, NULL, NULL, 3);
	}
	assert_int_equal(r->calls, 1);
	run_until(r, r, server_saw_close, 1000);
	assert_int_equal(r->server_status, GRPC_UNAVAILABLE);
	rig_free(frozen);
	rig_free(r);
}

static void free_call(struct seen *s)
{
	grpc_call_free(s->call);
}

static void free_conn(struct seen *s)
{
	grpc_conn_free(s->rig->conn);
	s->rig->conn = NULL;
}

static void test_free_in_callback(void **state)
{
	struct rig *r = rig_connected();
	struct seen s = {.on_message = free_call}, f = {0}, c = {.on_message = free_conn}, o = {0};

	open_call(r, &s, "/t/Echo");
	grpc_call_send(s.call, "a", 1);
	grpc_call_send(s.call, "b", 1);
	run_until(r, &s, has_message, 2000);
	run_until(r, r, server_saw_close, 1000);
	assert_int_equal(s.messages, 1);
	assert_int_equal(s.closed, 0);
	assert_int_equal(r->server_closed, 1);

	open_call(r, &f, "/t/Free");
	grpc_call_send(f.call, "a", 1);
	grpc_call_send(f.call, "b", 1);
	expect_closed(r, &f, GRPC_CANCELLED);

	open_call(r, &o, "/t/Hang");
	open_call(r, &c, "/t/Echo");
	grpc_call_send(c.call, "a", 1);
	grpc_call_send(c.call, "b", 1);
	run_until(r, &c, has_message, 2000);
	run_until(r, NULL, NULL, 20);
	assert_int_equal(c.messages, 1);
	assert_int_equal(c.closed + o.closed, 0);
	assert_false(r->down);
	rig_free(r);
}

static void test_server_freed_in_callback(void **state)
{
	struct rig *r = rig_connected();
	struct seen s = {0};

	open_call(r, &s, "/t/Stop");
	grpc_call_send(s.call, "a", 1);
	grpc_call_send(s.call, "b", 1);
	expect_closed(r, &s, GRPC_UNAVAILABLE);
	run_until(r, r, is_down, 1000);
	assert_true(r->down);
	assert_null(r->server);
	rig_free(r);
}

/* Everything is freed while calls are in every possible state; only ASan could complain. */
static void test_free_at_any_time(void **state)
{
	for (int steps = 0; steps < 30; steps++) {
		struct rig *r = rig_connected();
		struct seen s[4] = {0};

		open_call(r, &s[0], "/t/Echo");
		grpc_call_send(s[0].call, big, 300000);
		open_call(r, &s[1], "/t/Source");
		open_call(r, &s[2], "/t/Refuse");
		open_call(r, &s[3], "/t/Hang");
		for (int i = 0; i < steps; i++)
			event_base_loop(r->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		if (steps % 2 && r->conn) {
			grpc_conn_free(r->conn);
			r->conn = NULL;
		}
		if (r->server)
			grpc_server_free(r->server);
		r->server = NULL;
		rig_free(r);
	}
}

static void test_thousand_calls(void **state)
{
	struct rig *r = rig_connected();
	struct seen *s = calloc(1000, sizeof(*s));

	for (int i = 0; i < 1000; i++) {
		open_call(r, &s[i], "/t/Echo");
		grpc_call_send(s[i].call, &i, sizeof(i));
		grpc_call_done(s[i].call);
	}
	for (int i = 0; i < 1000; i++) {
		expect_closed(r, &s[i], GRPC_OK);
		assert_int_equal(s[i].messages, 1);
	}
	assert_int_equal(r->calls, 1000);
	free(s);
	rig_free(r);
}

/* Out of descriptors: the connection waits in the backlog until there are some. */
static void test_accept_out_of_fds(void **state)
{
	struct rig *r = rig_new();
	struct rlimit before, none;
	union addr a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	r->server_limits.setup_ms = 100;
	start_server(r);
	addr_parse_literal("127.0.0.1", grpc_server_port(r->server), &a);
	assert_int_equal(connect(fd, &a.sa, addr_len(&a)), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	log_init("test", "off");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	run_until(r, NULL, NULL, 50);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	log_init("test", NULL);
	run_until(r, &fd, peer_closed, 2000);
	assert_true(peer_closed(&fd));
	close(fd);
	rig_free(r);
}

static void test_port_in_use(void **state)
{
	struct rig *r = rig_new();
	struct grpc_server *second = NULL;
	struct grpc_server_conf conf = {.tls = tls};

	start_server(r);
	addr_parse_literal("127.0.0.1", grpc_server_port(r->server), &conf.listen);
	assert_int_equal(grpc_server_new(r->base, &conf, &server_ops, r, &second), -EADDRINUSE);
	assert_null(second);
	rig_free(r);
}

/* Shows the server a credential. */
static void be_known(struct rig *r, struct rig *conn, struct seen *call)
{
	open_call(conn, call, "/t/Known");
	assert_int_equal(grpc_call_send(call->call, "x", 1), 0);
	run_until(r, call, has_message, 2000);
	assert_int_equal(call->messages, 1);
}

static void test_connection_cap(void **state)
{
	struct rig *r = rig_new(), *second = rig_new();
	struct seen call = {0};

	r->server_limits.conns_max = 1;
	start_server(r);
	start_client(r, "127.0.0.1", grpc_server_port(r->server));
	run_until(r, r, is_up, 2000);
	be_known(r, r, &call);
	event_base_free(second->base);
	second->base = r->base;
	start_client(second, "127.0.0.1", grpc_server_port(r->server));
	run_until(r, second, is_down, 2000);
	assert_true(second->down);
	assert_true(r->up && !r->down);
	free(second);
	rig_free(r);
}

/* An address of this machine other than loopback, to connect from and to. */
static bool own_address(char *text, size_t size)
{
	struct ifaddrs *list = NULL;
	bool found = false;

	if (getifaddrs(&list))
		return false;
	for (struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
		const union addr *a = (const union addr *)i->ifa_addr;

		if (!a || a->sa.sa_family != AF_INET || addr_is_loopback(a))
			continue;
		addr_text_host(a, text, size);
		found = true;
	}
	freeifaddrs(list);
	return found;
}

static void test_address_cap(void **state)
{
	struct rig *r = rig_new();
	struct grpc_conn *conns[3];
	struct rig seen[3];
	struct seen calls[2] = {0};
	char host[ADDR_TEXT_MAX];

	r->server_limits.conns_per_address = 2;
	start_server(r); /* loopback is exempt */
	for (int i = 0; i < 3; i++) {
		seen[i] = *r;
		start_client(&seen[i], "127.0.0.1", grpc_server_port(r->server));
		conns[i] = seen[i].conn;
		run_until(r, &seen[i], is_up, 2000);
		assert_true(seen[i].up);
	}
	for (int i = 0; i < 3; i++)
		grpc_conn_free(conns[i]);
	grpc_server_free(r->server);
	if (own_address(host, sizeof(host))) {
		struct grpc_server_conf conf = {.tls = tls, .limits = r->server_limits};

		addr_parse_literal(host, 0, &conf.listen);
		assert_int_equal(grpc_server_new(r->base, &conf, &server_ops, r, &r->server), 0);
		for (int i = 0; i < 3; i++) {
			seen[i] = *r;
			start_client(&seen[i], host, grpc_server_port(r->server));
			run_until(r, &seen[i], i < 2 ? is_up : is_down, 2000);
			assert_true(i < 2 ? seen[i].up : seen[i].down);
			if (i < 2)
				be_known(r, &seen[i], &calls[i]);
		}
		assert_int_equal(grpc_server_figures(r->server)->refused, 1);
		for (int i = 0; i < 2; i++)
			grpc_conn_free(seen[i].conn);
	} else {
		r->server = NULL;
	}
	rig_free(r);
}

/* One call may have a limit of its own; the others of its connection keep theirs. */
static void test_call_limit(void **state)
{
	struct rig *r = rig_connected();
	struct seen small = {0}, large = {0}, echo = {0};

	open_call(r, &small, "/t/Small");
	open_call(r, &large, "/t/Small");
	open_call(r, &echo, "/t/Echo");
	assert_int_equal(grpc_call_send(small.call, big, 1000), 0);
	assert_int_equal(grpc_call_send(large.call, big, 1001), 0);
	assert_int_equal(grpc_call_send(echo.call, big, 1001), 0);
	grpc_call_done(small.call);
	grpc_call_done(echo.call);
	expect_closed(r, &large, GRPC_RESOURCE_EXHAUSTED);
	expect_closed(r, &small, GRPC_OK);
	expect_closed(r, &echo, GRPC_OK);
	assert_int_equal(small.bytes, 1000);
	assert_int_equal(echo.bytes, 1001);
	assert_int_equal(large.messages, 0);
	rig_free(r);
}

/* A call with a deadline ends by itself, whatever its client sends. */
static void test_call_deadline(void **state)
{
	struct rig *r = rig_connected();
	struct seen silent = {0}, busy = {0};

	open_call(r, &silent, "/t/Hurry");
	open_call(r, &busy, "/t/Hurry");
	assert_int_equal(grpc_call_send(busy.call, "x", 1), 0);
	expect_closed(r, &silent, GRPC_DEADLINE_EXCEEDED);
	expect_closed(r, &busy, GRPC_DEADLINE_EXCEEDED);
	assert_int_equal(r->server_messages, 1);
	assert_int_equal(r->server_closed, 2);
	rig_free(r);
}

/* With all places taken the oldest stranger goes; whoever has shown a credential stays. */
static void test_strangers_make_room(void **state)
{
	struct rig *r = rig_new(), seen[5];
	struct seen call = {0};

	r->server_limits.conns_max = 3;
	start_server(r);
	for (int i = 0; i < 5; i++) {
		seen[i] = *r;
		start_client(&seen[i], "127.0.0.1", grpc_server_port(r->server));
		run_until(r, &seen[i], is_up, 2000);
		assert_true(seen[i].up);
		if (i == 0)
			be_known(r, &seen[0], &call);
		if (i > 2)
			run_until(r, &seen[i - 2], is_down, 2000);
	}
	for (int i = 0; i < 5; i++)
		assert_int_equal(seen[i].down, i == 1 || i == 2);
	assert_int_equal(call.closed, 0);
	assert_int_equal(grpc_server_figures(r->server)->known, 1);
	assert_int_equal(grpc_server_figures(r->server)->strangers, 2);
	assert_int_equal(grpc_server_figures(r->server)->ended_for_others, 2);
	assert_int_equal(grpc_server_figures(r->server)->refused, 0);
	for (int i = 0; i < 5; i++)
		if (seen[i].conn)
			grpc_conn_free(seen[i].conn);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unary),
		cmocka_unit_test(test_bidi),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_large_answer),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_send_queue),
		cmocka_unit_test(test_cancel_client),
		cmocka_unit_test(test_cancel_server),
		cmocka_unit_test(test_goaway),
		cmocka_unit_test(test_client_close),
		cmocka_unit_test(test_pin_mismatch),
		cmocka_unit_test(test_no_alpn),
		cmocka_unit_test(test_refused_and_names),
		cmocka_unit_test(test_setup_timeout),
		cmocka_unit_test(test_server_setup_timeout),
		cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_silent_server),
		cmocka_unit_test(test_silent_client),
		cmocka_unit_test(test_free_in_callback),
		cmocka_unit_test(test_server_freed_in_callback),
		cmocka_unit_test(test_free_at_any_time),
		cmocka_unit_test(test_thousand_calls),
		cmocka_unit_test(test_accept_out_of_fds),
		cmocka_unit_test(test_port_in_use),
		cmocka_unit_test(test_connection_cap),
		cmocka_unit_test(test_address_cap),
		cmocka_unit_test(test_call_limit),
		cmocka_unit_test(test_call_deadline),
		cmocka_unit_test(test_strangers_make_room),
	};

	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
