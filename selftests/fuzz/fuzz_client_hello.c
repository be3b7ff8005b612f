// SPDX-License-Identifier: MIT
/* A ClientHello: what is found to be one stays one however it comes, and is the same with more behind it. */
#include "edge/conn/client_hello.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same bytes in records of @part bytes; 0: they do not fit into so many records. */
static size_t split(const uint8_t *data, const struct scan *s, size_t part, uint8_t *out)
{
	static uint8_t message[HELLO_BYTES_MAX];
	size_t at = 0;

	join(data, s->len, message);
	if ((s->len + part - 1) / part > HELLO_RECORDS_MAX ||
	    s->len + RECORD_HEAD * HELLO_RECORDS_MAX > HELLO_BYTES_MAX)
		return 0;
	for (size_t done = 0; done < s->len; done += part) {
		size_t n = s->len - done < part ? s->len - done : part;

		out[at++] = RECORD_HANDSHAKE;
		out[at++] = 3;
		out[at++] = 1;
		out[at++] = (uint8_t)(n >> 8);
		out[at++] = (uint8_t)n;
		memcpy(out + at, message + done, n);
		at += n;
	}
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t other[2 * HELLO_BYTES_MAX];
	struct client_hello hello, again;
	enum hello_verdict v = client_hello_parse(data, size, &hello);
	struct scan s;
	size_t n;

	/* What was refused stays refused with fewer bytes, or was not yet known to be wrong. */
	if (size && v == HELLO_MORE && client_hello_parse(data, size - 1, &again) != HELLO_MORE)
		abort();
	if (v != HELLO_WHOLE)
		return 0;
	if (strlen(hello.name) > HELLO_NAME_MAX || strlen(hello.alpn) > HELLO_ALPN_MAX)
		abort();
	scan_records(data, size, &s);
	n = split(data, &s, s.len / 3 + 1, other);
	if (n && (client_hello_parse(other, n, &again) != HELLO_WHOLE ||
		  memcmp(&hello, &again, sizeof(hello)) != 0))
		abort();
	if (n && client_hello_parse(other, n - 1, &again) != HELLO_MORE)
		abort();
	return 0;
}
