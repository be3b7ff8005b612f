// SPDX-License-Identifier: MIT
/* ClientEnrollment/Enroll: a code in, credentials out. */
#include "server/session_enroll.h"

#include <string.h>

#include "lib/grpc.h"
#include "lib/log.h"
#include "lib/portunus.pb-c.h"
#include "lib/proto_text.h"
#include "server/enroll.h"

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

static void on_enroll(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	struct enroll *enroll = arg;
	Portunus__V1__EnrollClientRequest *req = NULL;
	struct enroll_credentials made;
	struct fleet_error err;

	if (proto_text_valid(&portunus__v1__enroll_client_request__descriptor, data, len))
		req = portunus__v1__enroll_client_request__unpack(NULL, len, data);
	if (!req) {
		grpc_call_finish(call, GRPC_INVALID_ARGUMENT, "malformed message");
		return;
	}
	if (!enroll_redeem(enroll, req->code, &made, &err)) {
		send_bundle(call, &made);
	} else {
		log_event(LOG_WARN, "enrollment.refused", LOGF_STR("reason", err.e.code));
		grpc_call_finish(call,
				 !strcmp(err.e.code, "enrollment_store_error")
					 ? GRPC_INTERNAL
					 : GRPC_UNAUTHENTICATED,
				 err.e.code);
	}
	portunus__v1__enroll_client_request__free_unpacked(req, NULL);
}

/* The request has to come before the end. */
static void on_enroll_done(struct grpc_call *call, void *arg)
{
	grpc_call_finish(call, GRPC_INVALID_ARGUMENT, "no request");
}

static const struct grpc_call_ops enroll_ops = {
	.message = on_enroll,
	.peer_done = on_enroll_done,
};

void session_enroll(struct grpc_call *call, struct enroll *enroll)
{
	grpc_call_accept(call, &enroll_ops, enroll);
}
