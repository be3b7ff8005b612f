// SPDX-License-Identifier: MIT
/* What strangers may write to the log: a number of lines a period, and the rest is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/log_budget.h"

static void a_period_has_so_many_lines_and_the_next_says_what_was_left_out(void **state)
{
	uint64_t now = 3 * LOG_BUDGET_PERIOD_SECS * NS_PER_SEC, left_out = 99;
	struct log_budget b = {0};

	for (int i = 0; i < LOG_BUDGET_LINES; i++) {
		assert_true(log_budget_take(&b, now + (uint64_t)i, &left_out));
		assert_int_equal(left_out, 0);
	}
	for (int i = 0; i < 1000; i++)
		assert_false(log_budget_take(&b, now + NS_PER_SEC, &left_out));
	now += LOG_BUDGET_PERIOD_SECS * NS_PER_SEC + 1;
	assert_true(log_budget_take(&b, now, &left_out));
	assert_int_equal(left_out, 1000);
	assert_true(log_budget_take(&b, now, &left_out));
	assert_int_equal(left_out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_period_has_so_many_lines_and_the_next_says_what_was_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
