// SPDX-License-Identifier: MIT
/* The token bucket on a clock of the test's own: rates, bursts, turns, changes. */
#include "selftests/unit/rig.h"

#include <pthread.h>

#include "edge/admit/bucket.h"
#include "lib/base/clock.h"

#define SEC NS_PER_SEC

/* Takes what it gives between two moments, looking every @step. */
static uint64_t drain(struct bucket *b, uint64_t from, uint64_t to, uint64_t step)
{
	uint64_t sum = 0;
	size_t n;

	for (uint64_t now = from; now < to; now += step)
		while ((n = bucket_take(b, BUCKET_GRANT_MAX, now)))
			sum += n;
	return sum;
}

static void test_without_a_cap(void **state)
{
	struct bucket b = {0};

	assert_false(bucket_caps(&b));
	assert_int_equal(bucket_take(&b, 12345, SEC), 12345);
	assert_true(bucket_take_all(&b, SIZE_MAX, SEC));
	assert_true(bucket_take_whole(&b, SEC));
	assert_int_equal(bucket_book(&b, 1, SEC), SEC);
	assert_false(bucket_set(&b, 0, 0, SEC));
}

static void test_burst_and_rate(void **state)
{
	static const uint64_t rates[] = {1, 100, 1000, 65537, 1000000, 123456789, 12500000000};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t rate = rates[i], operation, got, want = 11 * rate;
		struct bucket b = {0};

		assert_true(bucket_set(&b, rate, rate, 5 * SEC));
		operation = bucket_operation(&b);
		got = drain(&b, 5 * SEC, 15 * SEC + 1, NS_PER_MS);
		/* The burst and ten seconds; over by one operation at most, and within a thousandth. */
		if (got > want + operation || got + want / 1000 + operation < want)
			fail_msg("%llu B/s gave %llu", (unsigned long long)rate,
				 (unsigned long long)got);
	}
}

/* A grant is larger than the burst, which is less than a chunk: it goes on all the same. */
static void test_debt(void **state)
{
	struct bucket b = {0};

	bucket_set(&b, 1000, 10, SEC);
	assert_true(bucket_take_all(&b, 65535, SEC));
	assert_false(bucket_take_all(&b, 1, SEC + 65 * SEC));
	assert_true(bucket_take_all(&b, 1, SEC + 66 * SEC));
	bucket_set(&b, 1, 1, 100 * SEC);
	assert_int_equal(bucket_operation(&b), 1);
}

static void test_connections_are_whole(void **state)
{
	struct bucket b = {0};

	for (uint64_t burst = 1; burst <= 60; burst++) {
		memset(&b, 0, sizeof(b));
		bucket_set(&b, 3, burst, SEC);
		for (uint64_t i = 0; i < burst; i++)
			assert_true(bucket_take_whole(&b, SEC));
		assert_false(bucket_take_whole(&b, SEC + SEC / 4));
		assert_true(bucket_take_whole(&b, SEC + SEC / 3 + 1));
		assert_false(bucket_take_whole(&b, SEC + SEC / 3 + 1));
	}
	bucket_give_back(&b, 1);
	assert_true(bucket_take_whole(&b, SEC + SEC / 3 + 1));
}

static void test_turns(void **state)
{
	struct bucket b = {0};

	bucket_set(&b, 1000, 1000, SEC);
	assert_int_equal(bucket_book(&b, 1000, SEC), SEC);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(bucket_book(&b, 100, SEC), SEC + i * SEC / 10);
	/* Nobody who comes later gets in between. */
	assert_int_equal(bucket_take(&b, 1, SEC + SEC / 2), 0);
	bucket_give_back(&b, 500);
	assert_int_equal(bucket_book(&b, 1, SEC), SEC + SEC / 2);
}

static void test_changes(void **state)
{
	struct bucket b = {0};
	unsigned version;

	bucket_set(&b, 1000, 1000, SEC);
	assert_true(bucket_take_all(&b, 400, SEC));
	version = bucket_version(&b);
	assert_false(bucket_set(&b, 1000, 1000, SEC));
	assert_int_equal(bucket_version(&b), version);
	/* 600 are left, whatever the rate. */
	assert_true(bucket_set(&b, 10, 600, SEC));
	assert_int_not_equal(bucket_version(&b), version);
	assert_true(bucket_take_all(&b, 599, SEC));
	assert_true(bucket_take_all(&b, 2, SEC));
	assert_false(bucket_take_all(&b, 1, SEC + SEC / 20));
	/* A smaller burst holds no more than itself. */
	memset(&b, 0, sizeof(b));
	bucket_set(&b, 1000, 1000, SEC);
	bucket_set(&b, 1000, 10, SEC);
	assert_true(bucket_take_all(&b, 10, SEC));
	assert_false(bucket_take_all(&b, 1, SEC));
	/* What was booked under the former cap keeps nobody waiting. */
	bucket_book(&b, 1000000, SEC);
	bucket_set(&b, 1000000, 1000000, SEC);
	assert_true(bucket_take_all(&b, 1, SEC + NS_PER_MS));
	/* Away and back again: full. */
	bucket_set(&b, 0, 0, SEC);
	bucket_set(&b, 1000, 1000, SEC);
	assert_true(bucket_take_all(&b, 1000, SEC));
}

struct taker {
	struct bucket *b;
	uint64_t sum;
};

static void *take_many(void *arg)
{
	struct taker *t = arg;
	size_t n;

	for (unsigned i = 0; i < 200000; i++) {
		n = bucket_take(t->b, 1000, SEC);
		bucket_give_back(t->b, n / 2);
		t->sum += n - n / 2;
	}
	return NULL;
}

/* Time stands still, so all of them together get the burst and not a byte more than one operation. */
static void test_threads(void **state)
{
	struct bucket b = {0};
	struct taker t[4];
	pthread_t thread[4];
	uint64_t sum = 0;

	bucket_set(&b, 10000000, 50000000, SEC);
	for (unsigned i = 0; i < 4; i++) {
		t[i] = (struct taker){.b = &b};
		assert_int_equal(pthread_create(&thread[i], NULL, take_many, &t[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		sum += t[i].sum;
	}
	assert_true(sum <= 50000000 + bucket_operation(&b));
	assert_true(sum >= 50000000 - 4 * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_cap), cmocka_unit_test(test_burst_and_rate),
		cmocka_unit_test(test_debt),	      cmocka_unit_test(test_connections_are_whole),
		cmocka_unit_test(test_turns),	      cmocka_unit_test(test_changes),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
