// SPDX-License-Identifier: MIT
/* What a call sends, in HTTP/2's terms: requests, responses, the queue's bytes, trailers. */
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#include "lib/grpc_frame.h"
#include "lib/grpc_impl.h"

#define NV(n, v) make_nv((n), (v), strlen(v), NGHTTP2_NV_FLAG_NONE)

static nghttp2_nv make_nv(const char *name, const char *value, size_t len, uint8_t flags)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
			    .value = (uint8_t *)(uintptr_t)value,
			    .namelen = strlen(name),
			    .valuelen = len,
			    .flags = flags};
}

/* grpc-status and grpc-message; @status_text and @message keep what the fields point to. */
static size_t status_fields(const struct grpc_call *call, nghttp2_nv *nv, char status_text[4],
			    char *message, size_t size)
{
	snprintf(status_text, 4, "%u", (unsigned int)call->status % 100);
	nv[0] = NV("grpc-status", status_text);
	if (!call->text[0])
		return 1;
	grpc_percent_encode(call->text, message, size);
	nv[1] = NV("grpc-message", message);
	return 2;
}

static int submit_trailers(struct grpc_call *call)
{
	char status[4], message[3 * GRPC_TEXT_SIZE];
	nghttp2_nv nv[2];
	size_t n = status_fields(call, nv, status, message, sizeof(message));

	return nghttp2_submit_trailer(call->conn->h2, call->stream, nv, n);
}

/* nghttp2 asks for the next piece of a call's queue. */
static ssize_t read_queue(nghttp2_session *h2, int32_t stream, uint8_t *buf, size_t size,
			  uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct grpc_call *call = nghttp2_session_get_stream_user_data(h2, stream);
	int n;

	if (!call)
		return NGHTTP2_ERR_DEFERRED; /* cancelled; the reset is queued */
	n = evbuffer_remove(call->out, buf, size);
	if (n < 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (call->want_drain && evbuffer_get_length(call->out) <= call->conn->limits.queue_max / 4)
		h2call_ready(call);
	if (evbuffer_get_length(call->out))
		return n;
	if (call->finished) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (call->conn->role->server) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			if (submit_trailers(call))
				return NGHTTP2_ERR_CALLBACK_FAILURE;
		}
	} else if (n == 0) {
		call->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return n;
}

int h2_submit_request(struct grpc_call *call)
{
	const nghttp2_data_provider body = {.read_callback = read_queue};
	const char *auth = call->authorization;
	nghttp2_nv nv[9];
	size_t n = 0;

	nv[n++] = NV(":method", "POST");
	nv[n++] = NV(":scheme", "https");
	nv[n++] = NV(":path", call->path);
	nv[n++] = NV(":authority", call->conn->authority);
	nv[n++] = NV("te", "trailers");
	nv[n++] = NV("content-type", "application/grpc");
	nv[n++] = NV("user-agent", "portunus/" PORTUNUS_VERSION);
	if (auth) /* kept out of compression tables */
		nv[n++] = make_nv("authorization", auth, strlen(auth), NGHTTP2_NV_FLAG_NO_INDEX);
	call->stream = nghttp2_submit_request(call->conn->h2, NULL, nv, n, &body, call);
	return call->stream < 0 ? -ENOMEM : 0;
}

int h2_submit_response(struct grpc_call *call)
{
	const nghttp2_data_provider body = {.read_callback = read_queue};
	const nghttp2_nv nv[] = {NV(":status", "200"), NV("content-type", "application/grpc")};

	return nghttp2_submit_response(call->conn->h2, call->stream, nv, 2, &body);
}

int h2_submit_trailers_only(struct grpc_call *call, int http_status)
{
	char status[4], message[3 * GRPC_TEXT_SIZE], http[12];
	nghttp2_nv nv[4];
	size_t n = 2;

	snprintf(http, sizeof(http), "%d", http_status);
	nv[0] = NV(":status", http);
	nv[1] = NV("content-type", "application/grpc");
	n += status_fields(call, nv + n, status, message, sizeof(message));
	return nghttp2_submit_response(call->conn->h2, call->stream, nv, n, NULL);
}
