// SPDX-License-Identifier: MIT
/*
 * Redeems enrolment URIs, many at a time: one on each line of stdin, and in the same order on stdout
 * "ENDPOINT PIN TOKEN CLIENT_ID CLIENT_NAME", or "error STATUS TEXT".
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "lib/tls/enroll_uri.h"
#include "lib/grpc/grpc.h"
#include "lib/base/log.h"
#include "lib/wire/portunus.pb-c.h"

#define AT_ONCE	       16
#define LINE_MAX_BYTES 1024

static void *must(void *memory)
{
	if (!memory) {
		fprintf(stderr, "enrol: out of memory\n");
		exit(1);
	}
	return memory;
}

/* One enrolment; it prints its bundle when it has it. */
struct enrolment {
	struct event_base *base;
	struct grpc_conn *conn;
	unsigned *open;
	char bundle[LINE_MAX_BYTES];
};

static void on_bundle(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	Portunus__V1__CredentialBundle *b = portunus__v1__credential_bundle__unpack(NULL, len,
										    data);
	struct enrolment *en = arg;

	if (!b)
		return;
	snprintf(en->bundle, sizeof(en->bundle), "%s %s %s %s %s", b->server_endpoint,
		 b->server_cert_sha256, b->token, b->client_id, b->client_name);
	portunus__v1__credential_bundle__free_unpacked(b, NULL);
}

static void enrol_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct enrolment *en = arg;

	if (status)
		snprintf(en->bundle, sizeof(en->bundle), "error %d %s", status, text);
	grpc_conn_close(en->conn);
}

static void enrol_down(struct grpc_conn *conn, int err, const char *why, void *arg)
{
	struct enrolment *en = arg;

	if (!en->bundle[0])
		snprintf(en->bundle, sizeof(en->bundle), "error 14 %s", why);
	--*en->open;
	event_base_loopbreak(en->base);
}

static const struct grpc_conn_ops enrol_conn_ops = {.down = enrol_down};
static const struct grpc_call_ops enrol_ops = {.message = on_bundle, .closed = enrol_closed};

static int start_enrolment(struct enrolment *en, const char *text)
{
	Portunus__V1__EnrollClientRequest req = PORTUNUS__V1__ENROLL_CLIENT_REQUEST__INIT;
	struct grpc_call *call;
	struct enroll_uri uri;
	uint8_t buf[512];

	if (enroll_uri_parse(text, &uri))
		return -EINVAL;
	en->conn = must(grpc_client_connect(
		en->base,
		&(struct grpc_client_conf){.host = uri.host, .port = uri.port, .pin = uri.pin},
		&enrol_conn_ops, en));
	call = must(grpc_call_open(en->conn, "/portunus.v1.ClientEnrollment/Enroll", NULL,
				   &enrol_ops, en));
	req.code = uri.code;
	grpc_call_send(call, buf, portunus__v1__enroll_client_request__pack(&req, buf));
	grpc_call_done(call);
	++*en->open;
	return 0;
}

/* Reads and starts up to AT_ONCE enrolments; returns how many. */
static unsigned start_some(struct event_base *base, struct enrolment *slots, unsigned *open)
{
	char line[LINE_MAX_BYTES];
	unsigned n = 0;

	memset(slots, 0, AT_ONCE * sizeof(*slots));
	for (; n < AT_ONCE && fgets(line, sizeof(line), stdin); n++) {
		line[strcspn(line, "\n")] = '\0';
		slots[n].base = base;
		slots[n].open = open;
		if (start_enrolment(&slots[n], line))
			snprintf(slots[n].bundle, LINE_MAX_BYTES, "error 3 no URI");
	}
	return n;
}

int main(void)
{
	struct enrolment slots[AT_ONCE];
	struct event_base *base;
	unsigned open = 0, n;

	signal(SIGPIPE, SIG_IGN);
	log_init("enrol", "error");
	base = must(event_base_new());
	do {
		n = start_some(base, slots, &open);
		while (open)
			event_base_dispatch(base);
		for (unsigned i = 0; i < n; i++)
			puts(slots[i].bundle);
	} while (n == AT_ONCE);
	event_base_free(base);
	return 0;
}
