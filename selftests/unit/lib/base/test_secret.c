// SPDX-License-Identifier: MIT
/* Tokens, their stored form, and ULIDs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "lib/base/secret.h"
#include "lib/base/ulid.h"

static void test_token_shape(void **state)
{
	char a[SECRET_TEXT_SIZE], b[SECRET_TEXT_SIZE];
	int high = 0;

	for (int i = 0; i < 200; i++) {
		assert_int_equal(secret_new(a), 0);
		assert_int_equal(strlen(a), 43);
		assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					   "0123456789-_"),
				 43);
		/* The last digit carries four bits, so the two below it are zero. */
		assert_non_null(strchr("AEIMQUYcgkosw048", a[42]));
		high += a[42] > 'a';
	}
	assert_true(high > 0);
	assert_int_equal(secret_new(b), 0);
	assert_string_not_equal(a, b);
}

static void test_hash(void **state)
{
	char h[SECRET_HASH_SIZE];

	secret_hash("abc", h); /* FIPS 180-2's example */
	assert_string_equal(h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	secret_hash("", h);
	assert_string_equal(h, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_equal(void **state)
{
	assert_true(secret_equal("abc", "abc"));
	assert_true(secret_equal("", ""));
	assert_false(secret_equal("abc", "abd"));
	assert_false(secret_equal("abc", "abcd"));
	assert_false(secret_equal("abc", "ab"));
	assert_false(secret_equal(NULL, "a"));
	assert_false(secret_equal(NULL, NULL));
}

static void test_ulid(void **state)
{
	char a[ULID_SIZE], b[ULID_SIZE];

	/* The time of the specification's own example. */
	assert_int_equal(ulid_new(1469918176385ull, a), 0);
	assert_memory_equal(a, "01ARYZ6S41", 10);
	assert_true(ulid_valid(a));
	assert_int_equal(ulid_new(1469918176385ull, b), 0);
	assert_string_not_equal(a, b);
	assert_int_equal(ulid_new(1469918176386ull, b), 0);
	assert_true(strcmp(a, b) < 0);
	assert_int_equal(ulid_new(0, b), 0);
	assert_memory_equal(b, "0000000000", 10);
}

static void test_ulid_valid(void **state)
{
	assert_true(ulid_valid("01J9ZK8M3Q6S7T8V9W0X1Y2Z3A"));
	assert_true(ulid_valid("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
	assert_false(ulid_valid("8ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
	assert_false(ulid_valid("01J9ZK8M3Q6S7T8V9W0X1Y2Z3"));
	assert_false(ulid_valid("01J9ZK8M3Q6S7T8V9W0X1Y2Z3AA"));
	assert_false(ulid_valid("01J9ZK8M3Q6S7T8V9W0X1Y2Z3U"));
	assert_false(ulid_valid("01j9zk8m3q6s7t8v9w0x1y2z3a"));
	assert_false(ulid_valid(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_shape), cmocka_unit_test(test_hash),
		cmocka_unit_test(test_equal),	    cmocka_unit_test(test_ulid),
		cmocka_unit_test(test_ulid_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
