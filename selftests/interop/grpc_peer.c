// SPDX-License-Identifier: MIT
/*
 * Our gRPC layer as a program, to be tried against other implementations:
 *
 *   grpc_peer cert DIR                  makes DIR/crt and DIR/key; prints the pin
 *   grpc_peer serve DIR [PING_MS]       serves on a free port of 127.0.0.1; prints it; SIGTERM ends it
 *   grpc_peer call PORT PIN PATH CALLS MESSAGES SIZE [HOLD_MS [PING_MS]]
 *                                       opens CALLS at once, sends MESSAGES of SIZE bytes on each, holds
 *                                       them open for HOLD_MS; prints one JSON object
 *
 * What is served: /t.T/Echo, /t.T/Auth (wants "Bearer t"), /t.T/Status (one message, then status 9),
 * /t.T/Source (100 messages of 100,000 bytes), /t.T/Hang.
 */
#include <errno.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/grpc/grpc.h"
#include "lib/base/hex.h"
#include "lib/tls/tls.h"

#define SOURCE_MESSAGES 100
#define SOURCE_BYTES	100000

/* ---- serve ---- */

struct served {
	struct grpc_call *call;
	int left;
};

static void echo_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	/* The queue is bounded; a client that does not read gets no more than that. */
	if (grpc_call_send(call, data, len))
		grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "queue full");
}

static void finish_ok(struct grpc_call *call, void *arg)
{
	grpc_call_finish(call, GRPC_OK, NULL);
}

static void source_more(struct grpc_call *call, void *arg)
{
	static const char zeros[SOURCE_BYTES];
	struct served *s = arg;

	while (s->left && !grpc_call_send(call, zeros, sizeof(zeros)))
		s->left--;
	if (!s->left)
		grpc_call_finish(call, GRPC_OK, NULL);
}

static void served_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	free(arg);
}

static const struct grpc_call_ops echo_ops = {echo_message, finish_ok, NULL, served_closed};
static const struct grpc_call_ops source_ops = {NULL, NULL, source_more, served_closed};

static void on_call(struct grpc_server *server, struct grpc_call *call, const char *path,
		    const char *authorization, void *arg)
{
	static const struct grpc_call_ops hang_ops = {.closed = served_closed};
	struct served *s = calloc(1, sizeof(*s));

	*s = (struct served){.call = call, .left = SOURCE_MESSAGES};
	if (!strcmp(path, "/t.T/Echo")) {
		grpc_call_accept(call, &echo_ops, s);
	} else if (!strcmp(path, "/t.T/Source")) {
		grpc_call_accept(call, &source_ops, s);
		source_more(call, s);
	} else if (!strcmp(path, "/t.T/Hang")) {
		grpc_call_accept(call, &hang_ops, s);
	} else if (!strcmp(path, "/t.T/Status")) {
		grpc_call_accept(call, &hang_ops, s);
		grpc_call_send(call, "x", 1);
		grpc_call_finish(call, GRPC_FAILED_PRECONDITION, "gr\xc3\xbc\xc3\x9f\x65 100%");
	} else {
		free(s);
		if (strcmp(path, "/t.T/Auth"))
			return;
		if (authorization && !strcmp(authorization, "Bearer t"))
			grpc_call_finish(call, GRPC_ALREADY_EXISTS, "you");
		else
			grpc_call_finish(call, GRPC_UNAUTHENTICATED,
					 authorization ? "token_not_found" : "missing_token");
	}
}

static void on_stopped(struct grpc_server *server, void *arg)
{
	event_base_loopbreak(arg);
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
	grpc_server_shutdown(arg);
}

static int serve(const char *dir, const char *ping_ms)
{
	static const struct grpc_server_ops ops = {on_call, on_stopped};
	struct event_base *base = event_base_new();
	struct grpc_server_conf conf = {.limits.keepalive_ms = ping_ms ? (unsigned int)atoi(ping_ms)
								       : 0};
	char cert[4096], key[4096], why[TLS_ERROR_SIZE];
	struct grpc_server *server;
	struct event *term;
	int rc;

	snprintf(cert, sizeof(cert), "%s/crt", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	if (tls_server_ctx(cert, key, TLS_ALPN_H2, &conf.tls, why)) {
		fprintf(stderr, "grpc_peer: %s\n", why);
		return 1;
	}
	addr_parse_literal("127.0.0.1", 0, &conf.listen);
	rc = grpc_server_new(base, &conf, &ops, base, &server);
	if (rc) {
		fprintf(stderr, "grpc_peer: listen: %s\n", strerror(-rc));
		return 1;
	}
	term = evsignal_new(base, SIGTERM, on_term, server);
	evsignal_add(term, NULL);
	printf("%u\n", grpc_server_port(server));
	fflush(stdout);
	event_base_dispatch(base);
	event_free(term);
	event_base_free(base);
	SSL_CTX_free(conf.tls);
	return 0;
}

/* ---- call ---- */

struct client {
	struct event_base *base;
	struct grpc_conn *conn;
	struct caller *callers;
	int n_calls, n_open, down_err;
	int statuses[17];
	unsigned long long messages, bytes;
	char text[512], down[512];
};

struct caller {
	struct client *client;
	struct grpc_call *call;
	const char *payload;
	int left;
	size_t size;
	bool hold;
};

static void send_more(struct grpc_call *call, void *arg)
{
	struct caller *k = arg;

	while (k->left) {
		int rc = grpc_call_send(call, k->payload, k->size);

		if (rc == -EAGAIN)
			return;
		if (rc) {
			grpc_call_cancel(call, GRPC_INTERNAL, strerror(-rc));
			return;
		}
		k->left--;
	}
	if (!k->hold)
		grpc_call_done(call);
}

static void on_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	struct caller *k = arg;

	k->client->messages++;
	k->client->bytes += len;
}

static void on_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct caller *k = arg;
	struct client *c = k->client;

	k->call = NULL;
	c->statuses[status]++;
	snprintf(c->text, sizeof(c->text), "%s", text);
	if (--c->n_open == 0 && c->conn)
		grpc_conn_close(c->conn);
}

static void on_down(struct grpc_conn *conn, int err, const char *why, void *arg)
{
	struct client *c = arg;

	c->conn = NULL;
	c->down_err = err;
	snprintf(c->down, sizeof(c->down), "%s", why);
	event_base_loopbreak(c->base);
}

static void on_hold_over(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	for (int i = 0; i < c->n_calls; i++) {
		if (!c->callers[i].call)
			continue;
		c->callers[i].hold = false;
		send_more(c->callers[i].call, &c->callers[i]);
	}
}

static void print_text(const char *key, const char *text)
{
	printf(",\"%s\":\"", key);
	for (const char *p = text; *p; p++)
		printf(*p == '"' || *p == '\\' || (unsigned char)*p < ' ' ? "\\u%04x" : "%c", *p);
	printf("\"");
}

static void print_result(const struct client *c)
{
	const char *comma = "";

	printf("{\"messages\":%llu,\"bytes\":%llu,\"status\":{", c->messages, c->bytes);
	for (int i = 0; i <= GRPC_UNAUTHENTICATED; i++) {
		if (!c->statuses[i])
			continue;
		printf("%s\"%d\":%d", comma, i, c->statuses[i]);
		comma = ",";
	}
	printf("},\"down_errno\":%d", -c->down_err);
	print_text("text", c->text);
	print_text("down", c->down);
	printf("}\n");
}

static int call(int argc, char **argv)
{
	static const struct grpc_conn_ops conn_ops = {.down = on_down};
	static const struct grpc_call_ops ops = {on_message, NULL, send_more, on_closed};
	struct client c = {.base = event_base_new(), .n_calls = atoi(argv[3])};
	size_t size = (size_t)atol(argv[5]);
	int hold_ms = argc > 6 ? atoi(argv[6]) : 0;
	struct timeval hold = {.tv_sec = hold_ms / 1000, .tv_usec = (hold_ms % 1000) * 1000};
	struct event *timer = evtimer_new(c.base, on_hold_over, &c);
	char *payload = calloc(1, size + 1);
	uint8_t pin[TLS_PIN_SIZE];
	struct grpc_client_conf conf = {.host = "localhost",
					.port = (uint16_t)atoi(argv[0]),
					.pin = pin};

	if (argc > 7)
		conf.limits.keepalive_ms = (unsigned int)atoi(argv[7]);
	if (strlen(argv[1]) != 2 * TLS_PIN_SIZE || hex_read(argv[1], pin, TLS_PIN_SIZE))
		return 2;
	conf.limits.message_max = 64u << 20; /* so that the other side's limit is the one met */
	conf.limits.queue_max = 16u << 20;
	c.callers = calloc((size_t)c.n_calls, sizeof(*c.callers));
	c.conn = grpc_client_connect(c.base, &conf, &conn_ops, &c);
	for (int i = 0; i < c.n_calls; i++) {
		struct caller *k = &c.callers[i];

		*k = (struct caller){.client = &c,
				     .payload = payload,
				     .left = atoi(argv[4]),
				     .size = size,
				     .hold = hold_ms > 0};
		k->call = grpc_call_open(c.conn, argv[2], "Bearer t", &ops, k);
		c.n_open++;
		send_more(k->call, k);
	}
	if (hold_ms)
		evtimer_add(timer, &hold);
	event_base_dispatch(c.base);
	print_result(&c);
	event_free(timer);
	event_base_free(c.base);
	free(c.callers);
	free(payload);
	return 0;
}

static int cert(const char *dir)
{
	const char *const hosts[] = {"localhost", "127.0.0.1"};
	char cert_path[4096], key_path[4096], hex[2 * TLS_PIN_SIZE + 1];
	uint8_t pin[TLS_PIN_SIZE];

	snprintf(cert_path, sizeof(cert_path), "%s/crt", dir);
	snprintf(key_path, sizeof(key_path), "%s/key", dir);
	if (tls_cert_generate(cert_path, key_path, "localhost", hosts, 2) ||
	    tls_pin_of_file(cert_path, pin))
		return 1;
	hex_write(pin, sizeof(pin), hex);
	puts(hex);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "cert"))
		return cert(argv[2]);
	if ((argc == 3 || argc == 4) && !strcmp(argv[1], "serve"))
		return serve(argv[2], argc == 4 ? argv[3] : NULL);
	if (argc >= 8 && argc <= 10 && !strcmp(argv[1], "call"))
		return call(argc - 2, argv + 2);
	fprintf(stderr,
		"usage: grpc_peer cert DIR | serve DIR [PING_MS] | call PORT PIN PATH CALLS "
		"MESSAGES SIZE [HOLD_MS [PING_MS]]\n");
	return 2;
}
