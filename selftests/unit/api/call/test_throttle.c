// SPDX-License-Identifier: MIT
/* Guessing is slowed down, for who guesses alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/call/throttle.h"
#include "lib/base/clock.h"

#define S NS_PER_SEC

static void a_key_waits_longer_with_each_failure(void **state)
{
	struct throttle *t = throttle_new();
	uint64_t now = 1000 * S;

	for (int i = 0; i < THROTTLE_FREE; i++) {
		assert_int_equal(throttle_wait(t, "a", now), 0);
		throttle_failed(t, "a", now);
	}
	assert_int_equal(throttle_wait(t, "a", now), 60);
	assert_int_equal(throttle_wait(t, "a", now + 59 * S + 1), 1);
	assert_int_equal(throttle_wait(t, "a", now + 60 * S), 0);
	throttle_failed(t, "a", now + 60 * S);
	assert_int_equal(throttle_wait(t, "a", now + 60 * S), 120);
	for (int i = 0; i < 10; i++)
		throttle_failed(t, "a", now + 60 * S);
	assert_int_equal(throttle_wait(t, "a", now + 60 * S), 900);
	assert_int_equal(throttle_wait(t, "b", now + 60 * S), 0);
	throttle_forgive(t, "a");
	assert_int_equal(throttle_wait(t, "a", now + 60 * S), 0);
	throttle_free(t);
}

static void old_failures_are_forgotten(void **state)
{
	struct throttle *t = throttle_new();

	for (int i = 0; i < THROTTLE_FREE - 1; i++)
		throttle_failed(t, "a", S);
	throttle_failed(t, "a", 1000 * S);
	assert_int_equal(throttle_wait(t, "a", 1000 * S), 0);
	throttle_free(t);
}

static void many_keys_do_not_push_out_a_fresh_one(void **state)
{
	struct throttle *t = throttle_new();
	char key[16];

	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		throttle_failed(t, key, (uint64_t)(i + 1) * S / 100);
	}
	for (int i = 0; i < THROTTLE_FREE; i++)
		throttle_failed(t, "k1999", 21 * S);
	assert_true(throttle_wait(t, "k1999", 21 * S) > 0);
	throttle_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_waits_longer_with_each_failure),
		cmocka_unit_test(old_failures_are_forgotten),
		cmocka_unit_test(many_keys_do_not_push_out_a_fresh_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
