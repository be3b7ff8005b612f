// SPDX-License-Identifier: MIT
/* The enrolment URI, by the rules of the contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/tls/enroll_uri.h"

#define HEX  "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define HEX2 "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TAIL "/enroll?pin=sha256:" HEX "&code=abc-_9"

static void accepts(const char *text, const char *host, uint16_t port, const char *code)
{
	struct enroll_uri u;
	const char *error = enroll_uri_parse(text, &u);

	if (error)
		fail_msg("%s: %s", text, error);
	assert_string_equal(u.host, host);
	assert_int_equal(u.port, port);
	assert_string_equal(u.code, code);
}

static void refuses(const char *text, const char *word)
{
	struct enroll_uri u;
	const char *error = enroll_uri_parse(text, &u);

	if (!error)
		fail_msg("accepted: %s", text);
	if (!strstr(error, word))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, error, word);
}

static void test_good(void **state)
{
	struct enroll_uri u;

	accepts("portunus://a.example:7443" TAIL, "a.example", 7443, "abc-_9");
	accepts("portunus://192.0.2.1:1" TAIL, "192.0.2.1", 1, "abc-_9");
	accepts("portunus://[2001:db8::1]:65535" TAIL, "2001:db8::1", 65535, "abc-_9");
	accepts("portunus://h:1/enroll?code=x&pin=sha256:" HEX, "h", 1, "x");
	assert_null(enroll_uri_parse("portunus://h:1" TAIL, &u));
	assert_int_equal(u.pin[1], 0x11);
	assert_int_equal(u.pin[31], 0xff);
}

static void test_query_rules(void **state)
{
	struct enroll_uri u;

	accepts("portunus://h:1/enroll?x=y&pin=sha256:" HEX "&code=a&z=", "h", 1, "a");
	accepts("portunus://h:1" TAIL "&code=last", "h", 1, "last");
	accepts("portunus://h:1" TAIL "%41", "h", 1, "abc-_9%41");
	accepts("portunus://h:1/enroll?pin=sha256:" HEX "&code=a=b", "h", 1, "a=b");
	assert_null(enroll_uri_parse("portunus://h:1" TAIL "&pin=sha256:" HEX2, &u));
	assert_int_equal(u.pin[0], 0xff);
	refuses("portunus://h:1" TAIL "&junk", "'='");
	refuses("portunus://h:1" TAIL "&", "'='");
	refuses("portunus://h:1" TAIL "&&x=y", "'='");
	refuses("portunus://h:1/enroll?pin=sha256:" HEX, "code is missing");
	refuses("portunus://h:1/enroll?code=a", "pin is missing");
	refuses("portunus://h:1/enroll?CODE=a&pin=sha256:" HEX, "code is missing");
}

static void test_bad(void **state)
{
	refuses("", "portunus://");
	refuses("Portunus://h:1" TAIL, "portunus://");
	refuses("portunus:/h:1" TAIL, "portunus://");
	refuses("portunus://h" TAIL, "port");
	refuses("portunus://h:" TAIL, "port");
	refuses("portunus://h:0" TAIL, "port");
	refuses("portunus://h:65536" TAIL, "port");
	refuses("portunus://h:+1" TAIL, "port");
	refuses("portunus://:1" TAIL, "host");
	refuses("portunus://[]:1" TAIL, "host");
	refuses("portunus://::1:1" TAIL, "brackets");
	refuses("portunus://a b:1" TAIL, "character");
	refuses("portunus://u@h:1" TAIL, "character");
	refuses("portunus://h\xff:1" TAIL, "character");
	refuses("portunus://h:1" TAIL "\xff", "character");
	refuses("portunus://h:1" TAIL " ", "character");
	refuses("portunus://h:1", "path");
	refuses("portunus://h:1/enroll", "path");
	refuses("portunus://h:1/enroll/?pin=sha256:" HEX "&code=a", "path");
	refuses("portunus://h:1/x/enroll?pin=sha256:" HEX "&code=a", "path");
	refuses("portunus://h:1/enroll?pin=" HEX "&code=a", "sha256:");
	refuses("portunus://h:1/enroll?pin=SHA256:" HEX "&code=a", "sha256:");
	refuses("portunus://h:1/enroll?pin=sha256:" HEX "0&code=a", "64 hex");
	refuses("portunus://h:1/enroll?pin=sha256:g" HEX "&code=a", "64 hex");
	refuses("portunus://h:1/enroll?pin=sha256:&code=a", "64 hex");
	refuses("portunus://h:1/enroll?pin=sha256:" HEX "&code=", "empty");
}

static void test_lengths(void **state)
{
	char text[2048], host[300], code[300];

	memset(host, 'h', sizeof(host));
	memset(code, 'c', sizeof(code));
	snprintf(text, sizeof(text), "portunus://%.255s:1/enroll?pin=sha256:" HEX "&code=%.256s",
		 host, code);
	assert_null(enroll_uri_parse(text, &(struct enroll_uri){0}));
	snprintf(text, sizeof(text), "portunus://%.256s:1" TAIL, host);
	refuses(text, "too long");
	snprintf(text, sizeof(text), "portunus://h:1/enroll?pin=sha256:" HEX "&code=%.257s", code);
	refuses(text, "256");
}

static void test_write(void **state)
{
	struct enroll_uri u = {.host = "::1", .code = "abc", .port = 7443}, back;
	char text[1024];
	int n;

	memset(u.pin, 0xa5, sizeof(u.pin));
	n = enroll_uri_write(&u, text, sizeof(text));
	assert_int_equal(n, strlen(text));
	assert_string_equal(text, "portunus://[::1]:7443/enroll?pin=sha256:"
				  "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
				  "&code=abc");
	assert_null(enroll_uri_parse(text, &back));
	assert_memory_equal(&u, &back, sizeof(u));
	assert_int_equal(enroll_uri_write(&u, text, (size_t)n), -ENOSPC);
	assert_int_equal(enroll_uri_write(&u, text, (size_t)n + 1), n);
}

static void test_endpoint(void **state)
{
	char host[ENROLL_HOST_MAX];
	uint16_t port;

	assert_null(endpoint_split("a.example:443garbage", 13, host, &port));
	assert_string_equal(host, "a.example");
	assert_int_equal(port, 443);
	assert_non_null(endpoint_split(":7443", 5, host, &port));
	assert_non_null(endpoint_split("", 0, host, &port));
	assert_non_null(endpoint_split("[::1]", 5, host, &port));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),  cmocka_unit_test(test_query_rules),
		cmocka_unit_test(test_bad),   cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_write), cmocka_unit_test(test_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
