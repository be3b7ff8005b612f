// SPDX-License-Identifier: MIT
/* The workers' counters: nobody's cell shares a cache line with another's, and the sum is all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "edge/target/target.h"

enum { WORKERS = 3, TIMES = 200000 };

static const struct target_watch watch = {.n_workers = WORKERS};

struct work {
	struct target *target;
	unsigned worker;
	pthread_t thread;
};

static void *count(void *arg)
{
	struct work *w = arg;
	struct target_cell *t = target_cell(w->target, w->worker);
	struct totals_cell *totals = totals_cell(w->target->totals, w->worker);

	for (int i = 0; i < TIMES; i++) {
		cell_add(&t->attempted, 1);
		cell_add(&t->ok, 1);
		cell_add(&totals->active, 1);
		cell_add(&totals->active, -1ull);
		cell_add(&totals->ended[END_IDLE], 1);
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	struct rule_totals *totals = totals_new(7, &watch);
	struct target *t = target_new(totals, "a.example", 80);
	struct work w[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++) {
		w[i] = (struct work){.target = t, .worker = i};
		pthread_create(&w[i].thread, NULL, count, &w[i]);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(w[i].thread, NULL);
	assert_int_equal(target_sum(t).attempted, WORKERS * TIMES);
	assert_int_equal(target_sum(t).ok, WORKERS * TIMES);
	assert_int_equal(target_sum(t).failed, 0);
	assert_int_equal(totals_sum(totals).ended[END_IDLE], WORKERS * TIMES);
	assert_int_equal(totals_sum(totals).ended[END_CLOSED], 0);
	assert_int_equal(totals_active(totals), 0);
	target_unref(t);
	totals_unref(totals);
}

static void test_no_line_is_shared(void **state)
{
	struct rule_totals *totals = totals_new(7, &watch);
	struct target *t = target_new(totals, "a.example", 80);

	for (unsigned i = 0; i < WORKERS; i++) {
		assert_int_equal((uintptr_t)target_cell(t, i) % 64, 0);
		assert_int_equal((uintptr_t)totals_cell(totals, i) % 64, 0);
	}
	assert_int_equal(sizeof(struct target_cell) % 64, 0);
	assert_int_equal(sizeof(struct totals_cell) % 64, 0);
	target_unref(t);
	totals_unref(totals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_no_line_is_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
