// SPDX-License-Identifier: MIT
/* The timer heap: order, moving, clearing, and timers that set themselves again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "edge/loop/timer.h"

#define MANY 1000

struct shot {
	struct timer t;
	struct timer_heap *heap;
	uint64_t again_at; /* sets itself again to this when it fires; 0: no */
	struct timer *clears;
	int fired;
	uint64_t order;
};

static uint64_t fired_so_far;

static void on_fire(struct timer *t)
{
	struct shot *s = (struct shot *)t;

	assert_false(timer_is_set(t));
	s->fired++;
	s->order = ++fired_so_far;
	if (s->clears)
		timer_clear(s->heap, s->clears);
	if (s->again_at)
		assert_int_equal(timer_set(s->heap, t, s->again_at), 0);
}

static struct shot shot(struct timer_heap *h)
{
	return (struct shot){.t.fire = on_fire, .heap = h};
}

/* Every timer knows its place, and none is earlier than its parent. */
static void check(const struct timer_heap *h)
{
	for (uint32_t i = 1; i <= h->n; i++) {
		assert_int_equal(h->heap[i]->place, i);
		assert_true(i == 1 || h->heap[i / 2]->at_ns <= h->heap[i]->at_ns);
	}
}

static void test_order(void **state)
{
	struct timer_heap h = {0};
	struct shot *s = calloc(MANY, sizeof(*s));
	uint64_t last = 0, n = 0;
	unsigned seed = 7;

	assert_true(timer_next(&h) == UINT64_MAX);
	for (int i = 0; i < MANY; i++) {
		s[i] = shot(&h);
		assert_int_equal(timer_set(&h, &s[i].t, 1 + rand_r(&seed) % 500), 0);
	}
	check(&h);
	/* Some are moved both ways, some are cleared. */
	for (int i = 0; i < MANY; i += 3)
		timer_set(&h, &s[i].t, 1 + rand_r(&seed) % 500);
	for (int i = 0; i < MANY; i += 7) {
		timer_clear(&h, &s[i].t);
		timer_clear(&h, &s[i].t);
		assert_false(timer_is_set(&s[i].t));
		check(&h);
	}
	for (uint64_t now = 1; now <= 500; now++) {
		timer_fire_due(&h, now);
		assert_true(timer_next(&h) > now);
		check(&h);
		for (int i = 0; i < MANY; i++) {
			if (s[i].order <= last)
				continue;
			assert_true(s[i].t.at_ns == now);
			n++;
		}
		last = fired_so_far;
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(s[i].fired, i % 7 != 0);
	assert_int_equal(h.n, 0);
	timer_heap_free(&h);
	free(s);
}

/* One that sets itself to a time that is due already waits for the next call. */
static void test_again(void **state)
{
	struct timer_heap h = {0};
	struct shot a = shot(&h), b = shot(&h);

	a.again_at = 5;
	timer_set(&h, &a.t, 5);
	timer_set(&h, &b.t, 6);
	timer_fire_due(&h, 10);
	assert_true(a.fired >= 1 && a.fired <= 2);
	assert_true(timer_is_set(&a.t));
	a.again_at = 0;
	timer_fire_due(&h, 10);
	timer_fire_due(&h, 10);
	assert_int_equal(b.fired, 1);
	assert_int_equal(h.n, 0);
	timer_heap_free(&h);
}

/* One that fires clears another that is due in the same call. */
static void test_clears_another(void **state)
{
	struct timer_heap h = {0};
	struct shot a = shot(&h), b = shot(&h);

	a.clears = &b.t;
	timer_set(&h, &a.t, 5);
	timer_set(&h, &b.t, 6);
	timer_fire_due(&h, 10);
	assert_int_equal(a.fired, 1);
	assert_int_equal(b.fired, 0);
	assert_int_equal(h.n, 0);
	timer_heap_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_clears_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
