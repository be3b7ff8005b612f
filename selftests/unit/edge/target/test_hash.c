// SPDX-License-Identifier: MIT
/* Clients hashed onto targets: one key for every spelling, the same figures on every machine. */
#include <arpa/inet.h>

#include "edge/target/hash.h"
#include "lib/base/addr.h"
#include "selftests/unit/rig.h"

static uint64_t client(const char *text)
{
	union addr a;

	assert_int_equal(addr_parse_literal(text, 4711, &a), 0);
	return hash_client(&a);
}

static void test_spellings(void **state)
{
	union addr mapped = {.v6 = {.sin6_family = AF_INET6, .sin6_port = 1}};

	assert_int_equal(hash_target("DB.example", 5432), hash_target("db.EXAMPLE.", 5432));
	assert_int_equal(hash_target("[2001:db8::1]", 80), hash_target("[2001:DB8:0:0::1]", 80));
	assert_int_not_equal(hash_target("db.example", 5432), hash_target("db.example", 5433));
	assert_int_not_equal(hash_target("a", 11), hash_target("a1", 1));
	/* A socket of both families shows an IPv4 client in IPv6's clothes; ports do not matter. */
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.v6.sin6_addr), 1);
	assert_int_equal(hash_client(&mapped), client("192.0.2.7"));
	assert_int_not_equal(client("192.0.2.7"), client("192.0.2.8"));
	assert_int_not_equal(client("2001:db8::1"), client("2001:db8::2"));
}

/* Written down once: an edge of another version, or on another machine, has to agree. */
static void test_figures(void **state)
{
	assert_true(hash_target("10.0.0.1", 80) == 0x5ed8f8275e47a14aull);
	assert_true(client("192.0.2.7") == 0xa68a26b1bc43f9aaull);
	assert_int_equal(hash_distance(client("192.0.2.7"), hash_target("10.0.0.1", 80)), 35587467);
}

/* -log2 of a uniform number: mean 1/ln 2, never beyond what the weights may multiply. */
static void test_distance(void **state)
{
	const uint64_t one = 1ull << 24;
	uint64_t sum = 0, below = 0;

	for (uint64_t i = 0; i < 100000; i++) {
		uint64_t d = hash_distance(i, 0x1234);

		assert_true(d < 1ull << 31);
		sum += d;
		below += d < one; /* half of them */
	}
	assert_in_range(sum / 100000, (uint64_t)(1.42 * one), (uint64_t)(1.47 * one));
	assert_in_range(below, 49000, 51000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
