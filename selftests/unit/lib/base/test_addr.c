// SPDX-License-Identifier: MIT
/* Address literals: reading, splitting, showing, comparing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/base/addr.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text, *shown; /* NULL: no literal */
	} cases[] = {
		{"192.0.2.1", "192.0.2.1:80"},
		{"0.0.0.0", "0.0.0.0:80"},
		{"::", "[::]:80"},
		{"[::]", "[::]:80"},
		{"2001:DB8:0:0::1", "[2001:db8::1]:80"},
		{"[2001:db8::1]", "[2001:db8::1]:80"},
		{"::ffff:192.0.2.1", "192.0.2.1:80"},
		{"[::ffff:c000:201]", "192.0.2.1:80"},
		{"", NULL},
		{"[", NULL},
		{"[]", NULL},
		{"[::1", NULL},
		{"::1]", NULL},
		{"[192.0.2.1]", NULL},
		{"192.0.2", NULL},
		{"192.0.2.256", NULL},
		{"192.0.2.01", NULL},
		{" 192.0.2.1", NULL},
		{"192.0.2.1:80", NULL},
		{"localhost", NULL},
		{"fe80::1%lo", NULL},
		{"1:2:3:4:5:6:7:8:9", NULL},
		{"[0000000000000000000000000000000000000000000000000001::]", NULL},
	};
	char text[ADDR_TEXT_MAX];
	union addr a;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = addr_parse_literal(cases[i].text, 80, &a);

		if (rc != (cases[i].shown ? 0 : -EINVAL))
			fail_msg("\"%s\": %d", cases[i].text, rc);
		if (!rc)
			assert_string_equal(addr_text(&a, text, sizeof(text)), cases[i].shown);
	}
	assert_int_equal(addr_parse_literal("::1", 65535, &a), 0);
	assert_int_equal(addr_port(&a), 65535);
	assert_int_equal(addr_len(&a), sizeof(struct sockaddr_in6));
	assert_string_equal(addr_text_host(&a, text, sizeof(text)), "::1");
	assert_int_equal(addr_parse_literal("[::ffff:127.0.0.1]", 1, &a), 0);
	assert_int_equal(a.sa.sa_family, AF_INET);
	assert_int_equal(addr_len(&a), sizeof(struct sockaddr_in));
}

static void test_split(void **state)
{
	static const struct {
		const char *text, *host; /* NULL: refused */
		uint16_t port;
	} cases[] = {
		{"a.example:80", "a.example", 80},
		{"[::1]:65535", "[::1]", 65535},
		{"127.0.0.1:0", "127.0.0.1", 0},
		{"a.example", NULL},
		{":80", NULL},
		{"a:", NULL},
		{"a:65536", NULL},
		{"a:000080", NULL},
		{"a:+80", NULL},
		{"a: 80", NULL},
		{"a:8 0", NULL},
		{"::1:80", NULL},
		{"[::1]", NULL},
		{"[]:80", NULL},
		{"[::1:80", NULL},
		{"a.very.long.name.example:80", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char host[16];
		uint16_t port;
		int rc = addr_split(cases[i].text, host, sizeof(host), &port);

		if (rc != (cases[i].host ? 0 : -EINVAL))
			fail_msg("\"%s\": %d", cases[i].text, rc);
		if (rc)
			continue;
		assert_string_equal(host, cases[i].host);
		assert_int_equal(port, cases[i].port);
	}
}

static union addr literal(const char *text, uint16_t port)
{
	union addr a;

	assert_int_equal(addr_parse_literal(text, port, &a), 0);
	return a;
}

static void test_equal(void **state)
{
	union addr v4 = literal("192.0.2.1", 80), other = literal("192.0.2.2", 80);
	union addr port = literal("192.0.2.1", 81), v6 = literal("2001:db8::1", 80);
	union addr same = literal("[2001:DB8:0::1]", 80), mapped = {0};

	mapped.v6.sin6_family = AF_INET6;
	mapped.v6.sin6_port = htons(80);
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &mapped.v6.sin6_addr), 1);
	assert_true(addr_equal(&v4, &v4));
	assert_true(addr_equal(&v4, &mapped));
	assert_true(addr_equal(&mapped, &v4));
	assert_true(addr_equal(&mapped, &mapped));
	assert_true(addr_equal(&v6, &same));
	assert_false(addr_equal(&v4, &other));
	assert_false(addr_equal(&v4, &port));
	assert_false(addr_equal(&v4, &v6));
	assert_false(addr_equal(&mapped, &v6));
	assert_true(addr_same_host(&v4, &port));
	assert_true(addr_same_host(&mapped, &port));
	assert_false(addr_same_host(&v4, &other));
	same.v6.sin6_scope_id = 3;
	assert_false(addr_equal(&v6, &same));
}

/* What accept() gives on a dual-stack socket is shown as the IPv4 address it is. */
static void test_text(void **state)
{
	union addr mapped = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)}};
	union addr none = {.sa = {.sa_family = AF_UNSPEC}};
	char text[ADDR_TEXT_MAX], small[8];

	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.1.2.3", &mapped.v6.sin6_addr), 1);
	assert_string_equal(addr_text(&mapped, text, sizeof(text)), "10.1.2.3:443");
	assert_string_equal(addr_text_host(&mapped, text, sizeof(text)), "10.1.2.3");
	assert_string_equal(addr_text(&mapped, small, sizeof(small)), "10.1.2.");
	assert_string_equal(addr_text_host(&none, text, sizeof(text)), "-");
}

static bool loopback(int family, const char *text)
{
	union addr a = {.sa.sa_family = (sa_family_t)family};

	assert_int_equal(inet_pton(family, text,
				   family == AF_INET ? (void *)&a.v4.sin_addr
						     : (void *)&a.v6.sin6_addr),
			 1);
	return addr_is_loopback(&a);
}

static void test_loopback(void **state)
{
	assert_true(loopback(AF_INET, "127.0.0.1"));
	assert_true(loopback(AF_INET, "127.255.255.255"));
	assert_false(loopback(AF_INET, "128.0.0.1"));
	assert_true(loopback(AF_INET6, "::1"));
	assert_true(loopback(AF_INET6, "::ffff:127.0.0.1"));
	assert_false(loopback(AF_INET6, "::ffff:192.0.2.1"));
	assert_false(loopback(AF_INET6, "::"));
}

static bool any(const char *text)
{
	union addr a;

	assert_int_equal(addr_parse_literal(text, 80, &a), 0);
	return addr_is_any(&a);
}

static void test_any(void **state)
{
	assert_true(any("0.0.0.0"));
	assert_true(any("::"));
	assert_false(any("0.0.0.1"));
	assert_false(any("::1"));
	assert_true(any("::ffff:0.0.0.0"));
}

static void test_endpoint_text(void **state)
{
	char buf[64];

	assert_string_equal(endpoint_text("db.internal", 5432, buf, sizeof(buf)),
			    "db.internal:5432");
	assert_string_equal(endpoint_text("192.0.2.1", 1, buf, sizeof(buf)), "192.0.2.1:1");
	assert_string_equal(endpoint_text("2001:db8::1", 65535, buf, sizeof(buf)),
			    "[2001:db8::1]:65535");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),	      cmocka_unit_test(test_split),
		cmocka_unit_test(test_equal),	      cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_text),	      cmocka_unit_test(test_any),
		cmocka_unit_test(test_endpoint_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
