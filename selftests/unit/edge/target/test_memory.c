// SPDX-License-Identifier: MIT
/* What is remembered of a name's addresses: who comes last, for how long, and who is tried again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "edge/target/memory.h"
#include "lib/base/clock.h"

#define T(secs) ((1000 + (uint64_t)(secs)) * NS_PER_SEC)

static union addr address(unsigned last)
{
	char text[32];
	union addr a;

	snprintf(text, sizeof(text), "192.0.2.%u", last);
	assert_int_equal(addr_parse_literal(text, 80, &a), 0);
	return a;
}

/* The order in which 192.0.2.1 … n come, as "132"; @trials as memory_arrange() returned it. */
static const char *order(struct memory *m, unsigned n, uint64_t now, uint32_t *trials)
{
	static char text[RESOLVE_ADDRS_MAX + 1];
	struct resolve_addrs addrs = {.n = n};

	for (unsigned i = 0; i < n; i++)
		addrs.addr[i] = address(i + 1);
	*trials = memory_arrange(m, &addrs, now);
	for (unsigned i = 0; i < n; i++)
		text[i] = (char)('0' + (ntohl(addrs.addr[i].v4.sin_addr.s_addr) & 0xff));
	text[n] = '\0';
	return text;
}

static void fail_at(struct memory *m, unsigned last, uint64_t now)
{
	union addr a = address(last);

	memory_failed(m, &a, now);
}

static void what_fails_comes_last(void **state)
{
	struct memory m = {.marks = NULL};
	union addr one = address(1);
	uint32_t trials;

	memory_init(&m);
	assert_string_equal(order(&m, 3, T(0), &trials), "123");
	fail_at(&m, 1, T(0));
	assert_string_equal(order(&m, 3, T(1), &trials), "231");
	fail_at(&m, 2, T(1));
	/* Of those that failed, the one that did so longest ago first. */
	assert_string_equal(order(&m, 3, T(2), &trials), "312");
	assert_int_equal(trials, 0);
	memory_worked(&m, &one);
	assert_string_equal(order(&m, 3, T(2), &trials), "132");
	memory_close(&m);
}

/* After its time one caller tries it in its place, the others do not. */
static void tried_again_by_one(void **state)
{
	struct memory m = {.marks = NULL};
	uint32_t trials;

	memory_init(&m);
	fail_at(&m, 1, T(0));
	assert_string_equal(order(&m, 2, T(59), &trials), "21");
	assert_string_equal(order(&m, 2, T(60), &trials), "12");
	assert_int_equal(trials, 1);
	assert_string_equal(order(&m, 2, T(60), &trials), "21");
	assert_int_equal(trials, 0);
	/* It has failed again: twice as long. */
	fail_at(&m, 1, T(61));
	assert_string_equal(order(&m, 2, T(180), &trials), "21");
	assert_string_equal(order(&m, 2, T(181), &trials), "12");
	memory_close(&m);
}

static void of_too_many_the_oldest_goes(void **state)
{
	struct memory m = {.marks = NULL};
	uint32_t trials;

	memory_init(&m);
	for (unsigned i = 0; i <= MEMORY_MAX; i++)
		fail_at(&m, i ? i + 2 : 1, T(i));
	assert_int_equal(atomic_load(&m.n), MEMORY_MAX);
	/* 2 has never failed: only 1, forgotten, can come before it. */
	assert_string_equal(order(&m, 3, T(40), &trials), "123");
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fails_comes_last),
		cmocka_unit_test(tried_again_by_one),
		cmocka_unit_test(of_too_many_the_oldest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
