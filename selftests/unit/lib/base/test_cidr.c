// SPDX-License-Identifier: MIT
/* Blocks of addresses: what is one, and who is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "lib/base/cidr.h"

static bool has(const char *block, const char *address)
{
	struct cidr c;
	union addr a;

	assert_int_equal(cidr_parse(block, &c), 0);
	assert_int_equal(addr_parse_literal(address, 80, &a), 0);
	return cidr_has(&c, &a);
}

static void addresses_are_in_their_blocks_alone(void **state)
{
	assert_true(has("10.0.0.0/8", "10.255.0.1"));
	assert_false(has("10.0.0.0/8", "11.0.0.1"));
	assert_true(has("192.0.2.128/25", "192.0.2.200"));
	assert_false(has("192.0.2.128/25", "192.0.2.100"));
	assert_true(has("192.0.2.7", "192.0.2.7"));
	assert_true(has("192.0.2.7", "::ffff:192.0.2.7"));
	assert_false(has("192.0.2.7", "192.0.2.8"));
	assert_true(has("0.0.0.0/0", "1.2.3.4"));
	assert_false(has("0.0.0.0/0", "::1"));
	assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(has("::1", "::1"));
}

static void what_is_no_block_is_refused(void **state)
{
	static const char *const bad[] = {"",
					  "host",
					  "10.0.0.1/8",
					  "10.0.0.0/33",
					  "10.0.0.0/",
					  "10.0.0.0/8x",
					  "::/129",
					  "2001:db8::1/32",
					  "10.0.0.0/-1",
					  "10.0.0.0/ 8",
					  "10.0.0/8"};
	struct cidr c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!cidr_parse(bad[i], &c))
			fail_msg("'%s' was taken for a block", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_in_their_blocks_alone),
		cmocka_unit_test(what_is_no_block_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
