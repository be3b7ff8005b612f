// SPDX-License-Identifier: MIT
/* The figures of a record: copied, added up, compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/account.h"
#include "edge/account/record.h"

static struct account_target some_figures(void)
{
	struct account_target t = {.rule_id = 7};

	t.bytes_in = 1;
	t.bytes_out = 2;
	t.received_in = 3;
	t.received_out = 4;
	t.attempted = 5;
	t.ok = 6;
	t.failed = 7;
	t.aborted = 8;
	t.active = 9;
	t.resets = 10;
	t.retransmits = 11;
	t.srtt_us = 12;
	t.connect_us = 13;
	t.connect_us_sum = 14;
	t.connect_us_max = 15;
	t.connect_hist[0] = 16;
	t.connect_hist[ACCOUNT_HIST_LEN - 1] = 17;
	t.last_errno = 18;
	return t;
}

static void test_sums(void **state)
{
	struct account_target t = some_figures(), back = (struct account_target){.rule_id = 7};
	struct account_record one, r = {.connect_us_max = 20};

	account_record_of(&t, &one);
	assert_int_equal(one.srtt_us, 12);
	assert_int_equal(one.last_errno, 18);
	account_record_store(&one, &back);
	assert_memory_equal(&back, &t, sizeof(t));
	account_record_add(&r, &one);
	account_record_add(&r, &one);
	assert_int_equal(r.bytes_in, 2);
	assert_int_equal(r.bytes_out, 4);
	assert_int_equal(r.received_in, 6);
	assert_int_equal(r.received_out, 8);
	assert_int_equal(r.attempted, 10);
	assert_int_equal(r.ok, 12);
	assert_int_equal(r.failed, 14);
	assert_int_equal(r.aborted, 16);
	assert_int_equal(r.active, 18);
	assert_int_equal(r.resets, 20);
	assert_int_equal(r.retransmits, 22);
	assert_int_equal(r.connect_us_sum, 28);
	assert_int_equal(r.connect_us_max, 20);
	assert_int_equal(r.connect_hist[0], 32);
	assert_int_equal(r.connect_hist[ACCOUNT_HIST_LEN - 1], 34);
	/* Not sums. */
	assert_int_equal(r.srtt_us, 0);
	assert_int_equal(r.connect_us, 0);
	assert_int_equal(r.last_errno, 0);
}

/* Every figure has its name once, and its place in the record's order. */
static void test_figures(void **state)
{
	size_t n, at = 0;
	const struct account_figure *f = account_figures(&n);

	assert_string_equal(f[0].name, "bytes_in");
	assert_string_equal(f[n - 1].name, "last_errno");
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(f[i].at, at);
		at += f[i].n * sizeof(uint64_t);
	}
	assert_int_equal(at, sizeof(struct account_record));
}

/* Of two sums the one that was made of the other is told apart, by any figure. */
static void test_includes(void **state)
{
	struct account_target t = some_figures();
	struct account_record a, b;

	account_record_of(&t, &a);
	b = a;
	assert_true(account_record_includes(&a, &b));
	assert_true(account_record_includes(&b, &a));
	for (int i = 0; i < 4; i++) {
		uint64_t *figures[] = {&b.bytes_in, &b.received_out, &b.resets,
				       &b.connect_hist[ACCOUNT_HIST_LEN - 1]};

		b = a;
		*figures[i] += 1;
		assert_true(account_record_includes(&b, &a));
		assert_false(account_record_includes(&a, &b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_includes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
