// SPDX-License-Identifier: MIT
/* ClientEnrollment/Enroll: a code in, credentials out. */
#include "server/control/enroll.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/addr.h"
#include "lib/grpc/grpc.h"
#include "lib/wire/portunus.pb-c.h"
#include "lib/wire/text.h"
#include "server/fleet/enrolment.h"

/* Who enrols has shown nothing yet: little room, and little time. */
#define REQUEST_MAX 1024
#define REQUEST_MS  10000

static void send_bundle(struct grpc_call *call, const struct enroll_credentials *made)
{
	Portunus__V1__CredentialBundle msg = PORTUNUS__V1__CREDENTIAL_BUNDLE__INIT;
	uint8_t buf[2048];
	size_t len;

	msg.version = 1;
	msg.client_name = (char *)made->client_name;
	msg.client_id = (char *)made->client_id;
	msg.server_endpoint = (char *)made->endpoint;
	msg.server_cert_sha256 = (char *)made->pin_hex;
	msg.token = (char *)made->token;
	len = portunus__v1__credential_bundle__get_packed_size(&msg);
	if (len > sizeof(buf)) {
		grpc_call_finish(call, GRPC_INTERNAL, "enrollment_store_error");
		return;
	}
	portunus__v1__credential_bundle__pack(&msg, buf);
	grpc_call_send(call, buf, len);
	grpc_call_finish(call, GRPC_OK, "");
}

/* One call. It lives until the call has ended and nothing of it is with the store. */
struct enrolling {
	struct enroll *enroll;
	struct grpc_call *call; /* NULL: it has ended */
	bool asked, waits;
};

static void refuse(struct grpc_call *call, const struct fleet_error *err)
{
	grpc_call_finish(call,
			 !strcmp(err->e.code, "enrollment_store_error") ? GRPC_INTERNAL
									: GRPC_UNAUTHENTICATED,
			 err->e.code);
}

static void on_redeemed(void *arg, const struct enroll_credentials *made,
			const struct fleet_error *err)
{
	struct enrolling *e = arg;

	e->waits = false;
	if (!e->call)
		free(e);
	else if (made)
		send_bundle(e->call, made);
	else
		refuse(e->call, err);
}

static void on_enroll(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	struct enrolling *e = arg;
	Portunus__V1__EnrollClientRequest *req = NULL;
	struct fleet_error err;
	char peer[ADDR_TEXT_MAX];

	if (e->asked)
		return;
	e->asked = true;
	if (proto_text_valid(&portunus__v1__enroll_client_request__descriptor, data, len))
		req = portunus__v1__enroll_client_request__unpack(NULL, len, data);
	if (!req) {
		grpc_call_finish(call, GRPC_INVALID_ARGUMENT, "malformed message");
		return;
	}
	addr_text_host(grpc_conn_peer(grpc_call_conn(call)), peer, sizeof(peer));
	e->waits = !enroll_redeem(e->enroll, req->code, peer, on_redeemed, e, &err);
	if (!e->waits)
		refuse(call, &err);
	portunus__v1__enroll_client_request__free_unpacked(req, NULL);
}

/* The request has to come before the end. */
static void on_enroll_done(struct grpc_call *call, void *arg)
{
	struct enrolling *e = arg;

	if (!e->asked)
		grpc_call_finish(call, GRPC_INVALID_ARGUMENT, "no request");
}

static void on_enroll_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct enrolling *e = arg;

	e->call = NULL;
	if (!e->waits)
		free(e);
}

static const struct grpc_call_ops enroll_ops = {
	.message = on_enroll,
	.peer_done = on_enroll_done,
	.closed = on_enroll_closed,
};

void session_enroll(struct grpc_call *call, struct enroll *enroll)
{
	struct enrolling *e = calloc(1, sizeof(*e));

	if (!e) {
		grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	e->enroll = enroll;
	e->call = call;
	grpc_call_limit(call, REQUEST_MAX);
	grpc_call_accept(call, &enroll_ops, e);
	if (grpc_call_deadline(call, REQUEST_MS))
		grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
}
