// SPDX-License-Identifier: MIT
/* Heads of requests: what is understood, and everything that two readers could see differently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/http/head.h"

static struct http_head head;
static char buffer[HTTP_HEAD_MAX + 64];

/* 0, or the status of the refusal; 1: incomplete. */
static int status_of(const char *text, size_t len)
{
	const struct http_wrong *wrong = NULL;
	size_t scanned = 0;
	long end = http_head_end(text, len, &scanned, &wrong);

	if (end == 0)
		return 1;
	if (end > 0) {
		memcpy(buffer, text, (size_t)end);
		wrong = http_head_parse(buffer, (size_t)end, &head);
	}
	return wrong ? wrong->status : 0;
}

#define STATUS(text) status_of(text, sizeof(text) - 1)
#define LINE	     "POST /v1/rules HTTP/1.1\r\n"
#define H	     LINE "Host: h\r\n"

static void a_plain_request_is_taken_apart(void **state)
{
	assert_int_equal(STATUS("GET /v1/rules?a=b HTTP/1.1\r\nHost: h\r\nX-y!:  a\tb \r\n\r\n"),
			 0);
	assert_string_equal(head.method, "GET");
	assert_string_equal(head.target, "/v1/rules?a=b");
	assert_string_equal(http_head_field(&head, "x-Y!"), "a\tb");
	assert_null(http_head_field(&head, "x-Y"));
	assert_true(head.keep_alive);
	assert_int_equal(head.framing, HTTP_NO_BODY);
	assert_int_equal(STATUS(H "Content-Length: 12\r\nConnection: Upgrade, CLOSE\r\n\r\n"), 0);
	assert_int_equal(head.framing, HTTP_LENGTH);
	assert_int_equal(head.length, 12);
	assert_false(head.keep_alive);
	assert_int_equal(STATUS(H "Transfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n"), 0);
	assert_int_equal(head.framing, HTTP_CHUNKED);
	assert_true(head.expects_continue);
	assert_int_equal(STATUS("GET / HTTP/1.0\r\n\r\n"), 0);
	assert_false(head.keep_alive);
	assert_int_equal(STATUS("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 0);
	assert_true(head.keep_alive);
}

static void the_forms_of_a_target(void **state)
{
	assert_int_equal(STATUS("GET http://H/a?b HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
	assert_string_equal(head.target, "/a?b");
	assert_int_equal(STATUS("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
	assert_string_equal(head.target, "/");
	assert_int_equal(STATUS("GET http://other/a HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET ftp://h/a HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET a HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET * HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(STATUS("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
	assert_int_equal(STATUS("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
}

static void a_body_where_none_belongs_is_refused(void **state)
{
	static const char *const methods[] = {"GET", "HEAD", "TRACE", "OPTIONS", "FOO", "post"};
	char text[256];

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		int n = snprintf(text, sizeof(text),
				 "%s / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n",
				 methods[i]);

		assert_int_equal(status_of(text, (size_t)n), 400);
		n = snprintf(text, sizeof(text),
			     "%s / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
			     methods[i]);
		assert_int_equal(status_of(text, (size_t)n), 400);
		n = snprintf(text, sizeof(text),
			     "%s / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", methods[i]);
		assert_int_equal(status_of(text, (size_t)n), 0);
	}
}

static void a_length_in_doubt_is_refused(void **state)
{
	assert_int_equal(STATUS(H "Content-Length: 1\r\ncontent-length: 1\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Content-Length: 1, 1\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Content-Length: -1\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Content-Length: +1\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Content-Length: 0x10\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Content-Length: \r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Content-Length: 1 2\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Content-Length: 1234567890123456789\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Content-Length : 1\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Transfer-Encoding: xchunked\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Transfer-Encoding: chunked, identity\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Transfer-Encoding: identity\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Transfer-Encoding: chunked;a=b\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Transfer-Encoding: \"chunked\"\r\n\r\n"), 400);
	assert_int_equal(STATUS(H
				"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
			 400);
	assert_int_equal(STATUS(H "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"), 400);
	assert_int_equal(STATUS(H "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"), 400);
	assert_int_equal(STATUS("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

static void lines_that_are_no_lines_are_refused(void **state)
{
	assert_int_equal(STATUS("GET / HTTP/1.1\nHost: h\n\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: h\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: h\r\n X: y\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: h\r\n\tX: y\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: h\r\n: y\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: h\r\nX y: 1\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: h\r\nX: a\x01\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: h\r\nX: a\x7f\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1 \r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET /\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.11\r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / http/1.1\r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(STATUS("hello\r\n\r\n"), 400);
	/* A handshake of TLS is told at once that there is none here. */
	assert_int_equal(STATUS("\x16\x03\x01"), 400);
}

static void one_host_is_named(void **state)
{
	assert_int_equal(STATUS("GET / HTTP/1.1\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
	assert_int_equal(STATUS("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), 0);
}

static void the_end_is_found_wherever_the_bytes_are_cut(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\nmore";
	const struct http_wrong *wrong = NULL;
	size_t scanned = 0;

	for (size_t n = 1; n < sizeof(text) - 5; n++)
		assert_int_equal(http_head_end(text, n, &scanned, &wrong), 0);
	assert_int_equal(http_head_end(text, sizeof(text) - 1, &scanned, &wrong), sizeof(text) - 5);
	assert_null(wrong);
}

static void heads_have_a_limit(void **state)
{
	const struct http_wrong *wrong = NULL;
	size_t scanned = 0;
	char text[1024];
	int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n");

	memset(buffer, 'x', sizeof(buffer));
	assert_int_equal(http_head_end(buffer, HTTP_HEAD_MAX, &scanned, &wrong), 0);
	assert_int_equal(http_head_end(buffer, HTTP_HEAD_MAX + 1, &scanned, &wrong), -1);
	assert_int_equal(wrong->status, 431);
	for (int i = 0; i < HTTP_FIELDS_MAX; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "a:b\r\n");
	snprintf(text + n, sizeof(text) - (size_t)n, "\r\n");
	assert_int_equal(status_of(text, strlen(text)), 431);
	assert_int_equal(STATUS(H "Expect: 200-ok\r\n\r\n"), 417);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_request_is_taken_apart),
		cmocka_unit_test(the_forms_of_a_target),
		cmocka_unit_test(a_body_where_none_belongs_is_refused),
		cmocka_unit_test(a_length_in_doubt_is_refused),
		cmocka_unit_test(lines_that_are_no_lines_are_refused),
		cmocka_unit_test(one_host_is_named),
		cmocka_unit_test(the_end_is_found_wherever_the_bytes_are_cut),
		cmocka_unit_test(heads_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
