// SPDX-License-Identifier: MIT
/* gRPC messages in pieces of any size, and the texts of statuses. */
#include "lib/grpc/frame.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void messages(const uint8_t *data, size_t size, size_t piece)
{
	struct evbuffer *in = evbuffer_new();
	struct grpc_message m;
	size_t total = 0;
	int rc = 0;

	while (size && rc >= 0) {
		size_t n = size < piece ? size : piece;

		evbuffer_add(in, data, n);
		data += n;
		size -= n;
		while ((rc = grpc_message_peek(in, 1000, &m)) == 1) {
			for (size_t i = 0; i < m.len; i++)
				total += m.data[i];
			grpc_message_drop(in, &m);
		}
	}
	if (total == (size_t)-1)
		abort();
	evbuffer_free(in);
}

static void texts(const char *text, size_t size)
{
	char decoded[128], encoded[400], again[128];
	size_t n = grpc_percent_decode(text, size, decoded, sizeof(decoded));

	if (n != strlen(decoded))
		abort();
	n = grpc_percent_encode(decoded, encoded, sizeof(encoded));
	if (n != strlen(encoded))
		abort();
	grpc_percent_decode(encoded, n, again, sizeof(again));
	if (strcmp(decoded, again))
		abort();
	if (grpc_status_parse(text, size) > GRPC_UNAUTHENTICATED)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	messages(data + 1, size - 1, (data[0] & 15) + 1u);
	texts((const char *)data + 1, size - 1);
	return 0;
}
