/* SPDX-License-Identifier: MIT */
/* gRPC's own encodings: message prefix, grpc-message, statuses. */
#ifndef PORTUNUS_LIB_GRPC_FRAME_H
#define PORTUNUS_LIB_GRPC_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct evbuffer;

#define GRPC_PREFIX_SIZE 5

/* Writes the prefix of an uncompressed message of @len bytes. */
void grpc_prefix_write(uint8_t out[GRPC_PREFIX_SIZE], uint32_t len);

/* One message at the head of a buffer, in place. */
struct grpc_message {
	const uint8_t *data; /* valid until the buffer is touched */
	size_t len;
};

/*
 * Looks for one whole message at the head of @in, which may be filled in pieces of any size. Returns
 * 1 and @out when there is one (grpc_message_drop() removes it), 0 when more bytes are needed, and
 * for what can never become a message:
 *   -EOPNOTSUPP  the compressed flag is set (we never offer an encoding)
 *   -EMSGSIZE    longer than @max, known as soon as the prefix is there
 *   -EBADMSG     a flag byte that the protocol does not know
 *   -ENOMEM
 */
int grpc_message_peek(struct evbuffer *in, size_t max, struct grpc_message *out);
void grpc_message_drop(struct evbuffer *in, const struct grpc_message *m);

/*
 * grpc-message: percent-encoding of all bytes outside 0x20–0x7e and of '%' (gRPC over HTTP/2). The
 * text is cut where the next character does not fit @size, terminator included. Returns the length.
 */
size_t grpc_percent_encode(const char *text, char *out, size_t size);

/* The reverse. A '%' without two hex digits stays as it is, an encoded NUL becomes '?'. Cuts at @size. */
size_t grpc_percent_decode(const char *in, size_t len, char *out, size_t size);

/* grpc-status from its header's text: 0–16, UNKNOWN for anything else. */
int grpc_status_parse(const char *text, size_t len);

/* The gRPC status for an answer that has an HTTP status other than 200 and no grpc-status. */
int grpc_status_from_http(int http_status);

/* The gRPC status for a stream that the peer reset with this HTTP/2 error code. */
int grpc_status_from_h2(uint32_t error_code);

#endif
