// SPDX-License-Identifier: MIT
/* Whose request it is behind proxies: nobody can pretend to be another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/call/forwarded.h"

static struct proxies *trusted;

static const char *client(const char *peer, const char *forwarded_for)
{
	static char text[ADDR_TEXT_MAX];
	union addr a, out;

	assert_int_equal(addr_parse_literal(peer, 1, &a), 0);
	proxies_client(trusted, &a, &forwarded_for, forwarded_for ? 1 : 0, &out);
	return addr_text_host(&out, text, sizeof(text));
}

/* Of three fields. */
static const char *client_of(const char *first, const char *second, const char *third)
{
	const char *const fields[] = {first, second, third};
	static char text[ADDR_TEXT_MAX];
	union addr a, out;

	assert_int_equal(addr_parse_literal("127.0.0.1", 1, &a), 0);
	proxies_client(trusted, &a, fields, 3, &out);
	return addr_text_host(&out, text, sizeof(text));
}

static bool https(const char *first, const char *second)
{
	const char *const fields[] = {first, second};

	return forwarded_https(fields, second ? 2 : first ? 1 : 0);
}

static void the_last_address_that_is_no_proxy_counts(void **state)
{
	assert_string_equal(client("127.0.0.1", "198.51.100.7"), "198.51.100.7");
	assert_string_equal(client("127.0.0.1", "203.0.113.9, 198.51.100.7"), "198.51.100.7");
	assert_string_equal(client("127.0.0.1", "198.51.100.7, 10.1.2.3,10.0.0.1"), "198.51.100.7");
	assert_string_equal(client("127.0.0.1", "198.51.100.7:4711"), "198.51.100.7");
	assert_string_equal(client("10.0.0.1", "[2001:db8::1]:4711"), "2001:db8::1");
	assert_string_equal(client("10.0.0.1", "2001:db8::1"), "2001:db8::1");
}

static void strangers_are_not_believed(void **state)
{
	assert_string_equal(client("198.51.100.7", "203.0.113.9"), "198.51.100.7");
	assert_string_equal(client("127.0.0.1", NULL), "127.0.0.1");
	assert_string_equal(client("127.0.0.1", ""), "127.0.0.1");
	assert_string_equal(client("127.0.0.1", "203.0.113.9, nonsense"), "127.0.0.1");
	assert_string_equal(client("127.0.0.1", "nonsense, 10.0.0.2"), "10.0.0.2");
}

static void several_fields_are_one_list(void **state)
{
	assert_string_equal(client_of("203.0.113.9", "203.0.113.8", "198.51.100.7"),
			    "198.51.100.7");
	assert_string_equal(client_of("203.0.113.9", "198.51.100.7, 10.0.0.1", "10.1.2.3"),
			    "198.51.100.7");
	assert_string_equal(client_of("203.0.113.9, 198.51.100.7", "", " , "), "198.51.100.7");
	assert_string_equal(client_of("203.0.113.9", "nonsense", "10.0.0.2"), "10.0.0.2");
	assert_string_equal(client_of("10.0.0.3", "10.0.0.2", "10.0.0.1"), "10.0.0.3");
}

static void the_scheme_is_what_the_nearest_proxy_says(void **state)
{
	assert_true(https("https", NULL));
	assert_true(https("http, HTTPS ", NULL));
	assert_false(https("https, http", NULL));
	assert_false(https("httpsx", NULL));
	assert_false(https("", NULL));
	assert_false(https(NULL, NULL));
	assert_true(https("http", "https"));
	assert_false(https("https", "http"));
	assert_false(https("https", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_address_that_is_no_proxy_counts),
		cmocka_unit_test(strangers_are_not_believed),
		cmocka_unit_test(several_fields_are_one_list),
		cmocka_unit_test(the_scheme_is_what_the_nearest_proxy_says),
	};
	int failed;

	trusted = proxies_new("127.0.0.1\n10.0.0.0/8\nnonsense");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	proxies_free(trusted);
	return failed;
}
