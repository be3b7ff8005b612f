// SPDX-License-Identifier: MIT
/* gRPC's own encodings: message prefix, grpc-message, statuses. No connection, no state. */
#include "lib/grpc/frame.h"

#include <errno.h>
#include <event2/buffer.h>
#include <string.h>

#include "lib/grpc/grpc.h"
#include "lib/base/hex.h"

void grpc_prefix_write(uint8_t out[GRPC_PREFIX_SIZE], uint32_t len)
{
	out[0] = 0;
	out[1] = (uint8_t)(len >> 24);
	out[2] = (uint8_t)(len >> 16);
	out[3] = (uint8_t)(len >> 8);
	out[4] = (uint8_t)len;
}

int grpc_message_peek(struct evbuffer *in, size_t max, struct grpc_message *out)
{
	uint8_t p[GRPC_PREFIX_SIZE];
	const uint8_t *whole;
	size_t len;

	if (evbuffer_copyout(in, p, sizeof(p)) < (ssize_t)sizeof(p))
		return 0;
	if (p[0] == 1)
		return -EOPNOTSUPP;
	if (p[0] != 0)
		return -EBADMSG;
	len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
	if (len > max)
		return -EMSGSIZE;
	if (evbuffer_get_length(in) < sizeof(p) + len)
		return 0;
	whole = evbuffer_pullup(in, (ev_ssize_t)(sizeof(p) + len));
	if (!whole)
		return -ENOMEM;
	out->data = whole + sizeof(p);
	out->len = len;
	return 1;
}

void grpc_message_drop(struct evbuffer *in, const struct grpc_message *m)
{
	evbuffer_drain(in, GRPC_PREFIX_SIZE + m->len);
}

size_t grpc_percent_encode(const char *text, char *out, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p >= 0x20 && *p <= 0x7e && *p != '%') {
			if (n + 1 >= size)
				break;
			out[n++] = (char)*p;
		} else {
			if (n + 3 >= size)
				break;
			out[n++] = '%';
			out[n++] = hex[*p >> 4];
			out[n++] = hex[*p & 15];
		}
	}
	out[n] = '\0';
	return n;
}

size_t grpc_percent_decode(const char *in, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; i++) {
		char c = in[i];
		uint8_t byte;

		if (c == '%' && len - i > 2 && !hex_read(in + i + 1, &byte, 1)) {
			c = (char)byte;
			i += 2;
		}
		out[n++] = c ? c : '?';
	}
	out[n] = '\0';
	return n;
}

int grpc_status_parse(const char *text, size_t len)
{
	int v = 0;

	if (len < 1 || len > 2)
		return GRPC_UNKNOWN;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return GRPC_UNKNOWN;
		v = v * 10 + (text[i] - '0');
	}
	return v <= GRPC_UNAUTHENTICATED ? v : GRPC_UNKNOWN;
}

/* The table in gRPC's "HTTP to gRPC Status Code Mapping". */
int grpc_status_from_http(int http_status)
{
	switch (http_status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

/* The table "Errors" of gRPC over HTTP/2; the codes are those of RFC 9113, section 7. */
int grpc_status_from_h2(uint32_t error_code)
{
	switch (error_code) {
	case 0x7: /* REFUSED_STREAM */
		return GRPC_UNAVAILABLE;
	case 0x8: /* CANCEL */
		return GRPC_CANCELLED;
	case 0xb: /* ENHANCE_YOUR_CALM */
		return GRPC_RESOURCE_EXHAUSTED;
	case 0xc: /* INADEQUATE_SECURITY */
		return GRPC_PERMISSION_DENIED;
	default:
		return GRPC_INTERNAL;
	}
}
