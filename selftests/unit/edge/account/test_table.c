// SPDX-License-Identifier: MIT
/* The table of records, found by rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edge/account/table.h"

static int add(struct slot_table *s, uint64_t number, uint64_t rule, enum slot_state state)
{
	return slot_table_add(s, &(struct slot){.number = number,
						.rule = rule,
						.state = (uint8_t)state});
}

static void test_table(void **state)
{
	struct slot_table s;
	struct slot *e;
	int seen = 0;

	slot_table_init(&s);
	assert_null(slot_table_find(&s, 1, NULL));
	for (uint64_t i = 1; i <= 5000; i++)
		assert_int_equal(add(&s, i, i % 2500 * 0x9e3779b97f4a7c15, SLOT_FOUND), 0);
	for (uint64_t i = 0; i < 2500; i++) {
		uint64_t rule = i * 0x9e3779b97f4a7c15;

		for (e = NULL, seen = 0; (e = slot_table_find(&s, rule, e)); seen++)
			assert_int_equal(e->number % 2500, i);
		assert_int_equal(seen, 2);
	}
	/* Removed entries are not found, and their places are used again. */
	for (uint64_t i = 0; i < 2500; i += 2)
		while ((e = slot_table_find(&s, i * 0x9e3779b97f4a7c15, NULL)))
			slot_table_remove(&s, e);
	for (uint64_t i = 0; i < 2500; i++)
		assert_int_equal(!slot_table_find(&s, i * 0x9e3779b97f4a7c15, NULL), i % 2 == 0);
	for (uint64_t i = 0; i < 2500; i++)
		assert_int_equal(add(&s, 9000 + i, i, SLOT_HELD), 0);
	assert_int_equal(s.n, 5000);
	e = slot_table_find(&s, 17, NULL);
	assert_int_equal(e->number, 9017);
	/* What the collector has to look at is counted. */
	assert_int_equal(s.leaving, 0);
	slot_table_set(&s, e, SLOT_RETIRED);
	slot_table_set(&s, slot_table_find(&s, 18, NULL), SLOT_RETIRED);
	assert_int_equal(s.leaving, 2);
	slot_table_set(&s, e, SLOT_DROPPED);
	assert_int_equal(s.leaving, 2);
	slot_table_set(&s, e, SLOT_REMOVED);
	assert_int_equal(s.leaving, 1);
	slot_table_remove(&s, slot_table_find(&s, 18, NULL));
	assert_int_equal(s.leaving, 0);
	slot_table_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
