// SPDX-License-Identifier: MIT
/* gRPC's encodings: a message prefix cut anywhere, limits, percent-encoding, statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <event2/buffer.h>
#include <string.h>

#include "lib/grpc/grpc.h"
#include "lib/grpc/frame.h"

static void test_every_split(void **state)
{
	static const uint8_t wire[] = {0, 0, 0, 0, 3, 'a', 'b', 'c', 0,	 0,
				       0, 0, 0, 0, 0, 0,   0,	1,   'x'};

	for (size_t cut = 0; cut <= sizeof(wire); cut++) {
		struct evbuffer *in = evbuffer_new();
		struct grpc_message m;
		char got[16] = "";
		int n = 0;

		for (int half = 0; half < 2; half++) {
			evbuffer_add(in, half ? wire + cut : wire, half ? sizeof(wire) - cut : cut);
			while (grpc_message_peek(in, 100, &m) == 1) {
				strncat(got, (const char *)m.data, m.len);
				strcat(got, ";");
				grpc_message_drop(in, &m);
				n++;
			}
		}
		assert_int_equal(n, 3);
		assert_string_equal(got, "abc;;x;");
		assert_int_equal(evbuffer_get_length(in), 0);
		evbuffer_free(in);
	}
}

static int peek(const uint8_t *bytes, size_t len, size_t max)
{
	struct evbuffer *in = evbuffer_new();
	struct grpc_message m;
	int rc;

	evbuffer_add(in, bytes, len);
	rc = grpc_message_peek(in, max, &m);
	evbuffer_free(in);
	return rc;
}

static void test_bad_prefix(void **state)
{
	assert_int_equal(peek((uint8_t[]){1, 0, 0, 0, 0}, 5, 10), -EOPNOTSUPP);
	assert_int_equal(peek((uint8_t[]){2, 0, 0, 0, 0}, 5, 10), -EBADMSG);
	assert_int_equal(peek((uint8_t[]){0, 0, 0, 0, 11}, 5, 10), -EMSGSIZE);
	assert_int_equal(peek((uint8_t[]){0, 0, 0, 0, 10}, 5, 10), 0);
	assert_int_equal(peek((uint8_t[]){0, 0xff, 0xff, 0xff, 0xff}, 5, GRPC_MESSAGE_MAX),
			 -EMSGSIZE);
	assert_int_equal(peek((uint8_t[]){1, 0, 0, 0}, 4, 10), 0);
	assert_int_equal(peek((uint8_t[]){0, 0, 0, 0, 0}, 5, 0), 1);
}

static void test_prefix_write(void **state)
{
	uint8_t p[GRPC_PREFIX_SIZE];

	grpc_prefix_write(p, 0x01020304);
	assert_memory_equal(p, ((uint8_t[]){0, 1, 2, 3, 4}), 5);
}

static void encodes(const char *text, const char *want)
{
	char out[256], back[256];
	size_t n = grpc_percent_encode(text, out, sizeof(out));

	assert_string_equal(out, want);
	assert_int_equal(n, strlen(want));
	grpc_percent_decode(out, n, back, sizeof(back));
	assert_string_equal(back, text);
}

static void test_percent(void **state)
{
	char out[8];

	encodes("", "");
	encodes("token_revoked", "token_revoked");
	encodes("100%", "100%25");
	encodes("a b~", "a b~");
	encodes("Gr\xc3\xbc\xc3\x9f\x65\n\x7f", "Gr%C3%BC%C3%9Fe%0A%7F");
	/* Cut before a character that does not fit. */
	assert_int_equal(grpc_percent_encode("abcde%", out, sizeof(out)), 5);
	assert_int_equal(grpc_percent_encode("abcd%", out, sizeof(out)), 7);
	assert_string_equal(out, "abcd%25");
	assert_int_equal(grpc_percent_encode("abcdefgh", out, sizeof(out)), 7);
}

static void decodes(const char *text, const char *want)
{
	char out[32];

	assert_int_equal(grpc_percent_decode(text, strlen(text), out, sizeof(out)), strlen(want));
	assert_string_equal(out, want);
}

static void test_percent_decode(void **state)
{
	char out[4];

	decodes("%", "%");
	decodes("%4", "%4");
	decodes("%41", "A");
	decodes("%4g%zz", "%4g%zz");
	decodes("%00x", "?x");
	decodes("%c3%Bc", "\xc3\xbc");
	assert_int_equal(grpc_percent_decode("%41%42%43%44", 12, out, sizeof(out)), 3);
	assert_string_equal(out, "ABC");
}

static void test_statuses(void **state)
{
	assert_int_equal(grpc_status_parse("0", 1), GRPC_OK);
	assert_int_equal(grpc_status_parse("16", 2), GRPC_UNAUTHENTICATED);
	assert_int_equal(grpc_status_parse("17", 2), GRPC_UNKNOWN);
	assert_int_equal(grpc_status_parse("", 0), GRPC_UNKNOWN);
	assert_int_equal(grpc_status_parse("-1", 2), GRPC_UNKNOWN);
	assert_int_equal(grpc_status_parse("001", 3), GRPC_UNKNOWN);
	assert_int_equal(grpc_status_from_http(401), GRPC_UNAUTHENTICATED);
	assert_int_equal(grpc_status_from_http(404), GRPC_UNIMPLEMENTED);
	assert_int_equal(grpc_status_from_http(503), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_status_from_http(500), GRPC_UNKNOWN);
	assert_int_equal(grpc_status_from_h2(8), GRPC_CANCELLED);
	assert_int_equal(grpc_status_from_h2(7), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_status_from_h2(11), GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(grpc_status_from_h2(2), GRPC_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_split),    cmocka_unit_test(test_bad_prefix),
		cmocka_unit_test(test_prefix_write),   cmocka_unit_test(test_percent),
		cmocka_unit_test(test_percent_decode), cmocka_unit_test(test_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
