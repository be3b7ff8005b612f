// SPDX-License-Identifier: MIT
/* The lag of the main loop: the longest of the last half minute, forgotten after a minute at most. */
#include "edge/watch/lag.h"
#include "lib/base/clock.h"
#include "selftests/unit/rig.h"

#define AT(ms) ((ms)*NS_PER_MS)

static void test_longest_of_the_window(void **state)
{
	struct loop_lag l = {0};

	loop_lag_tick(&l, AT(100000));
	assert_int_equal(loop_lag_ns(&l), 0);
	loop_lag_tick(&l, AT(101000));
	assert_int_equal(loop_lag_ns(&l), 0);
	loop_lag_tick(&l, AT(104500));
	assert_int_equal(loop_lag_ns(&l), AT(2500));
	loop_lag_tick(&l, AT(105510));
	assert_int_equal(loop_lag_ns(&l), AT(2500));
	/* It stays for at least a half minute more, and for no more than a whole one. */
	for (uint64_t ms = 106510; ms < 130000; ms += 1000)
		loop_lag_tick(&l, AT(ms));
	assert_int_equal(loop_lag_ns(&l), AT(2500));
	for (uint64_t ms = 130510; ms < 170000; ms += 1000)
		loop_lag_tick(&l, AT(ms));
	assert_int_equal(loop_lag_ns(&l), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_of_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
