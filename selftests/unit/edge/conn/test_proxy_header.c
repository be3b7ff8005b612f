// SPDX-License-Identifier: MIT
/* The header of the PROXY protocol, byte by byte. */
#include <arpa/inet.h>
#include <string.h>

#include "edge/conn/proxy_header.h"
#include "selftests/unit/rig.h"

static union addr at(const char *host, uint16_t port)
{
	union addr a = {0};

	if (strchr(host, ':')) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, host, &a.v6.sin6_addr), 1);
	} else {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, host, &a.v4.sin_addr), 1);
	}
	return a;
}

static void text_is(const char *client, uint16_t cp, const char *local, uint16_t lp,
		    const char *want)
{
	union addr a = at(client, cp), b = at(local, lp);
	uint8_t out[PROXY_HEADER_MAX];
	size_t n = proxy_header(RULE_PROXY_V1, &a, &b, NULL, out);

	assert_int_equal(n, strlen(want));
	assert_memory_equal(out, want, n);
}

static void test_version_1(void **state)
{
	text_is("192.0.2.1", 5000, "198.51.100.7", 443,
		"PROXY TCP4 192.0.2.1 198.51.100.7 5000 443\r\n");
	text_is("::ffff:192.0.2.1", 5000, "::ffff:198.51.100.7", 443,
		"PROXY TCP4 192.0.2.1 198.51.100.7 5000 443\r\n");
	text_is("::ffff:192.0.2.1", 5000, "198.51.100.7", 443,
		"PROXY TCP4 192.0.2.1 198.51.100.7 5000 443\r\n");
	text_is("2001:db8:0:0::1", 1, "2001:db8::2", 65535,
		"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n");
	text_is("fe80::1", 1, "fe80::2", 2, "PROXY TCP6 fe80::1 fe80::2 1 2\r\n");
	text_is("2001:db8::1", 1, "192.0.2.1", 2, "PROXY UNKNOWN\r\n");
	/* The longest there is. */
	text_is("1111:2222:3333:4444:5555:6666:7777:8888", 65535,
		"aaaa:bbbb:cccc:dddd:eeee:ffff:1111:2222", 65535,
		"PROXY TCP6 1111:2222:3333:4444:5555:6666:7777:8888 "
		"aaaa:bbbb:cccc:dddd:eeee:ffff:1111:2222 65535 65535\r\n");
}

static void bytes_are(const char *client, const char *local, const void *want, size_t len)
{
	union addr a = at(client, 0x1234), b = at(local, 0x01bb);
	uint8_t out[PROXY_HEADER_MAX];

	assert_int_equal(proxy_header(RULE_PROXY_V2, &a, &b, NULL, out), len);
	assert_memory_equal(out, want, len);
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static void test_version_2(void **state)
{
	static const char v4[] = SIGNATURE
		"\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x07\x12\x34\x01\xbb";
	static const char v6[] = SIGNATURE
		"\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
		"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x12\x34\x01\xbb";
	static const char local[] = SIGNATURE "\x20\0\0\0";

	bytes_are("192.0.2.1", "198.51.100.7", v4, 28);
	bytes_are("::ffff:192.0.2.1", "198.51.100.7", v4, 28);
	bytes_are("2001:db8::1", "2001:db8::2", v6, 52);
	bytes_are("2001:db8::1", "198.51.100.7", local, 16);
}

static void test_nothing_known(void **state)
{
	union addr none = {0};
	uint8_t out[PROXY_HEADER_MAX];

	assert_int_equal(proxy_header(RULE_PROXY_NONE, &none, &none, NULL, out), 0);
	assert_int_equal(proxy_header(RULE_PROXY_V1, &none, &none, NULL, out), 15);
	assert_int_equal(proxy_header(RULE_PROXY_V2, &none, &none, NULL, out), 16);
}

/* A TLV of the unique id's type; what names nobody has none. */
static void test_unique_id(void **state)
{
	const uint8_t *id = (const uint8_t *)"0123456789abcdef";
	union addr a = at("192.0.2.1", 1), b = at("192.0.2.2", 2), c = at("2001:db8::1", 1);
	uint8_t plain[PROXY_HEADER_MAX], out[PROXY_HEADER_MAX];

	assert_int_equal(proxy_header(RULE_PROXY_V2, &a, &b, NULL, plain), 28);
	assert_int_equal(proxy_header(RULE_PROXY_V2, &a, &b, id, out), 47);
	assert_int_equal(out[15], 12 + 19);
	plain[15] = out[15];
	assert_memory_equal(out, plain, 28);
	assert_memory_equal(out + 28,
			    "\5\0\x10"
			    "0123456789abcdef",
			    19);
	assert_int_equal(proxy_header(RULE_PROXY_V2, &a, &c, id, out), 16);
	assert_int_equal(proxy_header(RULE_PROXY_V1, &a, &b, NULL, plain),
			 proxy_header(RULE_PROXY_V1, &a, &b, id, out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_version_2),
		cmocka_unit_test(test_nothing_known),
		cmocka_unit_test(test_unique_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
