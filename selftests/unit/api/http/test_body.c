// SPDX-License-Identifier: MIT
/* Bodies of requests: counted and chunked, and chunks that are not plain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "api/http/body.h"

static char got[1024];
static size_t rest;

/* Reads @text as chunks, @piece bytes at a time: 0 complete, 1 incomplete, else the status. */
static int read_chunks(const char *text, size_t piece)
{
	struct http_head head = {.framing = HTTP_CHUNKED};
	struct evbuffer *data = evbuffer_new(), *in = evbuffer_new();
	const struct http_wrong *wrong = NULL;
	struct http_body b;
	size_t len = strlen(text);
	int done = 0;

	assert_null(http_body_begin(&b, &head, data, false));
	for (size_t at = 0; at < len && !done; at += piece) {
		evbuffer_add(in, text + at, len - at < piece ? len - at : piece);
		done = http_body_read(&b, in, &wrong);
	}
	got[evbuffer_remove(data, got, sizeof(got) - 1)] = '\0';
	rest = evbuffer_get_length(in);
	evbuffer_free(data);
	evbuffer_free(in);
	return done < 0 ? wrong->status : !done;
}

static void chunks_become_one_body(void **state)
{
	for (size_t piece = 1; piece < 40; piece++) {
		assert_int_equal(read_chunks("2\r\n{\"\r\n00A\r\n0123456789\r\n0\r\n\r\n", piece),
				 0);
		assert_string_equal(got, "{\"0123456789");
	}
	assert_int_equal(read_chunks("0\r\n\r\nGET /", 100), 0);
	assert_int_equal(rest, 5);
}

static void extensions_and_trailers_are_read_and_left_out(void **state)
{
	assert_int_equal(read_chunks("2;a=b\r\n{}\r\n0\r\n\r\n", 3), 0);
	assert_string_equal(got, "{}");
	assert_int_equal(read_chunks("2;a;b=\"q \\\" ;\"\r\n{}\r\n0;x\r\n\r\n", 3), 0);
	assert_string_equal(got, "{}");
	assert_int_equal(read_chunks("2\r\n{}\r\n0\r\nX-Sum: 1\r\nY: \r\n\r\n", 100), 0);
	assert_string_equal(got, "{}");
}

static void sizes_that_are_not_plain_are_refused(void **state)
{
	static const char *const odd[] = {"0x2",   " 2",   "+2",  "-2",	   "2 ",	  "",
					  "g",	   "2 ;a", "2;",  "2;a=",  "2;=b",	  "2;a=\"b",
					  "2;a b", "2\t",  "2,2", "\"2\"", "2;a=\"\x01\""};
	char text[64];

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		snprintf(text, sizeof(text), "%s\r\n{}\r\n0\r\n\r\n", odd[i]);
		if (read_chunks(text, 100) != 400)
			fail_msg("'%s' was let through", odd[i]);
	}
}

static void line_ends_that_are_not_plain_are_refused(void **state)
{
	assert_int_equal(read_chunks("2\n{}\r\n0\r\n\r\n", 100), 400);
	assert_int_equal(read_chunks("2\r\n{}\n0\r\n\r\n", 100), 400);
	assert_int_equal(read_chunks("2\r\n{}x0\r\n\r\n", 100), 400);
	assert_int_equal(read_chunks("2\r\n{}\r\n0\n\n", 100), 400);
	assert_int_equal(read_chunks("2\r\n{}\r\n0\r\n\n", 100), 400);
	assert_int_equal(read_chunks("2\r\r\n{}\r\n0\r\n\r\n", 100), 400);
}

static void trailers_that_frame_or_route_are_refused(void **state)
{
	assert_int_equal(read_chunks("0\r\nContent-Length: 5\r\n\r\n", 100), 400);
	assert_int_equal(read_chunks("0\r\nhost: a\r\n\r\n", 100), 400);
	assert_int_equal(read_chunks("0\r\nTransfer-Encoding: chunked\r\n\r\n", 100), 400);
	assert_int_equal(read_chunks("0\r\nno field\r\n\r\n", 100), 400);
	assert_int_equal(read_chunks("0\r\n folded\r\n\r\n", 100), 400);
	assert_int_equal(read_chunks("0\r\nX: a\x01\r\n\r\n", 100), 400);
}

static void everything_has_a_limit(void **state)
{
	struct http_head head = {.framing = HTTP_LENGTH, .length = HTTP_BODY_MAX};
	struct http_body b;
	char *long_line = malloc(2 * HTTP_CHUNK_LINE);

	assert_null(http_body_begin(&b, &head, NULL, false));
	head.length++;
	assert_int_equal(http_body_begin(&b, &head, NULL, false)->status, 413);
	head.length = HTTP_BODY_SMALL;
	assert_null(http_body_begin(&b, &head, NULL, true));
	head.length++;
	assert_int_equal(http_body_begin(&b, &head, NULL, true)->status, 413);
	assert_int_equal(read_chunks("40001\r\n", 100), 413);
	assert_int_equal(read_chunks("123456789\r\n", 100), 413);
	memset(long_line, 'a', 2 * HTTP_CHUNK_LINE);
	memcpy(long_line, "2;", 2);
	long_line[2 * HTTP_CHUNK_LINE - 1] = '\0';
	assert_int_equal(read_chunks(long_line, 100), 400);
	free(long_line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_become_one_body),
		cmocka_unit_test(extensions_and_trailers_are_read_and_left_out),
		cmocka_unit_test(sizes_that_are_not_plain_are_refused),
		cmocka_unit_test(line_ends_that_are_not_plain_are_refused),
		cmocka_unit_test(trailers_that_frame_or_route_are_refused),
		cmocka_unit_test(everything_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
