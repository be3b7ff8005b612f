// SPDX-License-Identifier: MIT
/* What a peer's header fields become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "lib/grpc/grpc.h"
#include "lib/grpc/headers.h"

static void answer(struct grpc_headers *h, const char *name, const char *value)
{
	assert_int_equal(grpc_headers_answer(h, (const uint8_t *)name, strlen(name),
					     (const uint8_t *)value, strlen(value)),
			 0);
}

/* A peer's words are UTF-8 afterwards, whatever it sent and wherever they had to be cut. */
static void test_message_is_utf8(void **state)
{
	struct grpc_headers h = {0};
	char text[2000] = "";

	answer(&h, "grpc-message", "gr%C3%BC%C3%9Fe");
	assert_string_equal(h.text, "grüße");
	answer(&h, "grpc-message", "a%FF%C3b%00%");
	assert_string_equal(h.text, "a??b?%");
	for (int shift = 0; shift < 3; shift++) {
		memset(text, 'x', (size_t)shift);
		text[shift] = '\0';
		for (int i = 0; i < 200; i++)
			strcat(text, "%E8%8A%82");
		answer(&h, "grpc-message", text);
		assert_true(utf8_valid(h.text, strlen(h.text)));
		assert_null(strchr(h.text, '?'));
		assert_true(strlen(h.text) >= GRPC_TEXT_SIZE - 3);
	}
}

static void test_requests_that_are_no_calls(void **state)
{
	int http_status, status;
	struct grpc_headers h = {.post = true, .grpc_type = true, .path = (char *)"/x"};

	assert_null(grpc_headers_refuse(&h, &http_status, &status));
	h.grpc_type = false;
	assert_non_null(grpc_headers_refuse(&h, &http_status, &status));
	assert_int_equal(http_status, 415);
	h.post = false;
	assert_non_null(grpc_headers_refuse(&h, &http_status, &status));
	assert_int_equal(http_status, 405);
	h.bytes = GRPC_HEADER_LIST_MAX + 1;
	assert_non_null(grpc_headers_refuse(&h, &http_status, &status));
	assert_int_equal(http_status, 200);
	assert_int_equal(status, GRPC_RESOURCE_EXHAUSTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_is_utf8),
		cmocka_unit_test(test_requests_that_are_no_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
