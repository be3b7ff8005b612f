/* SPDX-License-Identifier: MIT */
/* gRPC's header fields: what a peer's mean, and which ones a call sends. */
#ifndef PORTUNUS_LIB_GRPC_HEADERS_H
#define PORTUNUS_LIB_GRPC_HEADERS_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRPC_TEXT_SIZE	       512
#define GRPC_HEADER_LIST_MAX   (16 << 10) /* as RFC 9113 counts it: 32 bytes per field added */
#define GRPC_HEADER_LIST_FATAL (64 << 10) /* above this the peer is not worth decoding for */
#define GRPC_FIELDS_MAX	       9

/* What the peer's headers say of a call, and the status that the call ends with. */
struct grpc_headers {
	char *path; /* owned, as the next; NULL when absent */
	char *authorization;
	size_t bytes;
	int http_status;
	bool post;
	bool grpc_type;
	bool answered; /* client: the server's status is known; server: ours went out */
	int status;
	char text[GRPC_TEXT_SIZE];
};

void grpc_headers_clear(struct grpc_headers *h);
void grpc_headers_set_status(struct grpc_headers *h, int status, const char *text);

/* Takes one field of a request or of an answer. Returns 0 or -ENOMEM. */
int grpc_headers_request(struct grpc_headers *h, const uint8_t *name, size_t n, const uint8_t *v,
			 size_t len);
int grpc_headers_answer(struct grpc_headers *h, const uint8_t *name, size_t n, const uint8_t *v,
			size_t len);

/*
 * Server: NULL for a request that can be a call. Otherwise the reason for a refusal, with its HTTP
 * status and gRPC status.
 */
const char *grpc_headers_refuse(const struct grpc_headers *h, int *http_status, int *status);
/* Client: the answer is complete; sets the status unless a grpc-status came. */
void grpc_headers_complete(struct grpc_headers *h);

/* What the fields of a block point to, so it outlives their submission. */
struct grpc_fields {
	nghttp2_nv nv[GRPC_FIELDS_MAX];
	size_t n;
	char http_status[12], status[4], message[3 * GRPC_TEXT_SIZE];
};

void grpc_fields_request(struct grpc_fields *f, const struct grpc_headers *h,
			 const char *authority);
/* ":status" and the content type. */
void grpc_fields_response(struct grpc_fields *f, int http_status);
/* grpc-status and grpc-message, added to what is there. */
void grpc_fields_status(struct grpc_fields *f, const struct grpc_headers *h);

#endif
