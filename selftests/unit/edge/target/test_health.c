// SPDX-License-Identifier: MIT
/* The health of a target, with a clock of its own, and from eight threads at once. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "edge/target/health.h"
#include "lib/base/clock.h"

#define T0	100000.0 /* seconds */
#define WALL_MS 1778236931000u

static uint64_t ns(double at)
{
	return (uint64_t)(at * 1000 + 0.5) * NS_PER_MS;
}

static uint64_t wall(double at)
{
	return WALL_MS + (uint64_t)((at - T0) * 1000 + 0.5);
}

static enum health_change failure(struct health *h, double at)
{
	return health_report(h, ECONNREFUSED, ns(at), wall(at));
}

static enum health_change success(struct health *h, double at)
{
	return health_report(h, 0, ns(at), wall(at));
}

/* The next check in seconds after T0, -1 for none. */
static double next_spread(struct health *h, uint32_t interval, double at, uint32_t spread)
{
	uint64_t next = health_next_check(h, interval, ns(at), spread);

	return next ? (double)(next - ns(T0)) / 1e9 : -1;
}

static double next(struct health *h, uint32_t interval, double at)
{
	return next_spread(h, interval, at, 0);
}

#define assert_at(seconds, want) assert_float_equal(seconds, want, 0.001)

/* Failed at T0. */
static void fail_at_t0(struct health *h)
{
	health_init(h, wall(T0 - 10));
	assert_int_equal(failure(h, T0 - 2), HEALTH_SAME);
	assert_int_equal(failure(h, T0 - 1), HEALTH_SAME);
	assert_int_equal(failure(h, T0), HEALTH_BECAME_FAILED);
}

static void starts_healthy(void **state)
{
	struct health_view v;
	struct health h;

	health_init(&h, wall(T0));
	health_view(&h, ns(T0), wall(T0), &v);
	assert_int_equal(v.state, HEALTH_HEALTHY);
	assert_int_equal(v.consecutive_failures, 0);
	assert_int_equal(v.last_success_unix_ms, 0);
	assert_int_equal(v.last_failure_unix_ms, 0);
	assert_int_equal(v.last_error, 0);
	assert_int_equal(v.since_unix_ms, wall(T0));
	assert_int_equal(v.next_check_unix_ms, 0);
}

static void third_failure(void **state)
{
	struct health_view v;
	struct health h;

	health_init(&h, wall(T0));
	assert_int_equal(failure(&h, T0 + 1), HEALTH_SAME);
	assert_int_equal(failure(&h, T0 + 2), HEALTH_SAME);
	assert_int_equal(health_state(&h), HEALTH_HEALTHY);
	assert_int_equal(health_report(&h, ETIMEDOUT, ns(T0 + 3), wall(T0 + 3)),
			 HEALTH_BECAME_FAILED);
	assert_int_equal(health_state(&h), HEALTH_FAILED);
	assert_int_equal(failure(&h, T0 + 3.5), HEALTH_SAME);

	health_view(&h, ns(T0 + 3.5), wall(T0 + 3.5), &v);
	assert_int_equal(v.state, HEALTH_FAILED);
	assert_int_equal(v.consecutive_failures, 4);
	assert_int_equal(v.last_failure_unix_ms, wall(T0 + 3.5));
	assert_int_equal(v.since_unix_ms, wall(T0 + 3));
	assert_int_equal(v.last_error, ECONNREFUSED);
	assert_int_equal(v.next_check_unix_ms, wall(T0 + 4));
}

static void thirty_seconds_are_inside(void **state)
{
	struct health h;

	health_init(&h, wall(T0));
	failure(&h, T0);
	failure(&h, T0 + 20);
	assert_int_equal(failure(&h, T0 + 30), HEALTH_BECAME_FAILED);
}

static void beyond_thirty_seconds(void **state)
{
	struct health h;

	health_init(&h, wall(T0));
	failure(&h, T0);
	failure(&h, T0 + 20);
	assert_int_equal(failure(&h, T0 + 30.001), HEALTH_SAME);
	/* Slow failures are on record all the same, in a row. */
	assert_int_equal(h.failures, 3);
}

/* A window that began anew at 31 would have seen one failure at 40; this one saw 20, 31, 40. */
static void window_slides(void **state)
{
	struct health h;

	health_init(&h, wall(T0));
	failure(&h, T0);
	failure(&h, T0 + 20);
	assert_int_equal(failure(&h, T0 + 31), HEALTH_SAME);
	assert_int_equal(failure(&h, T0 + 40), HEALTH_BECAME_FAILED);
}

static void window_slides_far(void **state)
{
	struct health h;

	health_init(&h, wall(T0));
	for (int i = 0; i < 20; i++)
		assert_int_equal(failure(&h, T0 + i * 16), HEALTH_SAME);
	assert_int_equal(failure(&h, T0 + 19 * 16 + 14), HEALTH_BECAME_FAILED);
}

static void success_between(void **state)
{
	struct health h;

	health_init(&h, wall(T0));
	failure(&h, T0);
	failure(&h, T0 + 1);
	assert_int_equal(success(&h, T0 + 2), HEALTH_SAME);
	assert_int_equal(h.failures, 0);
	assert_int_equal(failure(&h, T0 + 3), HEALTH_SAME);
	assert_int_equal(failure(&h, T0 + 4), HEALTH_SAME);
	assert_int_equal(failure(&h, T0 + 5), HEALTH_BECAME_FAILED);
}

/* Threads take the time before the lock. */
static void reports_out_of_order(void **state)
{
	struct health h;

	health_init(&h, wall(T0));
	failure(&h, T0 + 0.2);
	failure(&h, T0 + 0.1);
	assert_int_equal(failure(&h, T0), HEALTH_BECAME_FAILED);
}

static void two_successes(void **state)
{
	struct health_view v;
	struct health h;

	fail_at_t0(&h);
	assert_int_equal(success(&h, T0 + 5), HEALTH_SAME);
	assert_int_equal(health_state(&h), HEALTH_FAILED);
	assert_int_equal(success(&h, T0 + 6), HEALTH_BECAME_HEALTHY);
	assert_int_equal(success(&h, T0 + 7), HEALTH_SAME);

	health_view(&h, ns(T0 + 7), wall(T0 + 7), &v);
	assert_int_equal(v.state, HEALTH_HEALTHY);
	assert_int_equal(v.consecutive_failures, 0);
	assert_int_equal(v.since_unix_ms, wall(T0 + 6));
	assert_int_equal(v.last_success_unix_ms, wall(T0 + 7));
	/* What went wrong last stays on view. */
	assert_int_equal(v.last_failure_unix_ms, wall(T0));
	assert_int_equal(v.last_error, ECONNREFUSED);
	/* Nothing old counts towards the next time. */
	assert_int_equal(failure(&h, T0 + 8), HEALTH_SAME);
	assert_int_equal(failure(&h, T0 + 8), HEALTH_SAME);
	assert_int_equal(failure(&h, T0 + 8), HEALTH_BECAME_FAILED);
	assert_int_equal(success(&h, T0 + 9), HEALTH_SAME);
}

static void failure_between_successes(void **state)
{
	struct health h;

	fail_at_t0(&h);
	success(&h, T0 + 5);
	assert_int_equal(failure(&h, T0 + 6), HEALTH_SAME);
	assert_int_equal(success(&h, T0 + 7), HEALTH_SAME);
	assert_int_equal(success(&h, T0 + 8), HEALTH_BECAME_HEALTHY);
}

static void last_success_is_coarse(void **state)
{
	struct health h;

	health_init(&h, wall(T0));
	success(&h, T0);
	success(&h, T0 + 0.099);
	assert_int_equal(h.last_success_unix_ms, wall(T0));
	success(&h, T0 + 0.1);
	assert_int_equal(h.last_success_unix_ms, wall(T0 + 0.1));
	/* The wall clock was set back. */
	health_report(&h, 0, ns(T0 + 1), wall(T0 - 100));
	assert_int_equal(h.last_success_unix_ms, wall(T0 - 100));
}

static void healthy_without_interval_checks_nothing(void **state)
{
	struct health h;

	health_init(&h, wall(T0));
	assert_at(next(&h, 0, T0), -1);
	failure(&h, T0);
	assert_at(next(&h, 0, T0 + 1), -1);
	fail_at_t0(&h);
	success(&h, T0 + 1);
	success(&h, T0 + 2);
	assert_at(next(&h, 0, T0 + 2), -1);
	assert_false(health_recheck_now(&h, ns(T0 + 2)));
	assert_at(next(&h, 0, T0 + 2), -1);
}

static void backs_off(void **state)
{
	static const int delays[] = {2, 4, 8, 16, 30, 30, 30};
	struct health h;
	double at;

	fail_at_t0(&h);
	at = next(&h, 0, T0);
	assert_at(at, 1);
	for (unsigned i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		double again;

		/* A check that takes 0.5 s; the delay counts from its end. */
		failure(&h, T0 + at + 0.5);
		again = next(&h, 0, T0 + at + 0.5);
		assert_at(again, at + 0.5 + delays[i]);
		at = again;
	}
	/* The first success: the second check is 1 s later, and a failure begins anew. */
	success(&h, T0 + at);
	assert_at(next(&h, 0, T0 + at), at + 1);
	failure(&h, T0 + at + 1);
	assert_at(next(&h, 0, T0 + at + 1), at + 3);
}

/* Clients that keep trying must neither drive the back-off up nor put the check off. */
static void clients_failures_do_not_back_off(void **state)
{
	struct health h;

	fail_at_t0(&h);
	for (int i = 1; i < 90; i++)
		failure(&h, T0 + i * 0.01);
	assert_at(next(&h, 0, T0 + 0.9), 1);
	/* When it is due, theirs is as good as the check's own; but once. */
	failure(&h, T0 + 1.01);
	failure(&h, T0 + 1.02);
	failure(&h, T0 + 1.03);
	assert_at(next(&h, 0, T0 + 1.03), 3.01);
}

/* A timer that fires a little early is on time. */
static void early_timer(void **state)
{
	struct health h;

	fail_at_t0(&h);
	assert_at(next(&h, 0, T0), 1);
	failure(&h, T0 + 0.99);
	assert_at(next(&h, 0, T0 + 0.99), 2.99);

	health_init(&h, wall(T0));
	next(&h, 10, T0);
	next(&h, 10, T0 + 1);
	assert_at(next(&h, 10, T0 + 4.99), 15);
}

/* The check came to nothing by an error of ours: nothing was reported. */
static void unreported_check(void **state)
{
	struct health h;

	fail_at_t0(&h);
	assert_at(next(&h, 0, T0), 1);
	assert_at(next(&h, 0, T0 + 1), 2);
	assert_at(next(&h, 0, T0 + 2), 3);
	health_recheck_now(&h, ns(T0 + 2.5));
	assert_at(next(&h, 0, T0 + 2.5), 2.5);
	assert_at(next(&h, 0, T0 + 2.5), 3.5);
}

static void asking_twice_changes_nothing(void **state)
{
	struct health h;

	fail_at_t0(&h);
	assert_at(next(&h, 0, T0), 1);
	assert_at(next(&h, 0, T0 + 0.5), 1);
	health_init(&h, wall(T0));
	next(&h, 60, T0);
	assert_at(next(&h, 60, T0 + 10), 30);
	assert_at(next(&h, 60, T0 + 20), 30);
}

static void interval(void **state)
{
	struct health h;

	health_init(&h, wall(T0));
	assert_at(next(&h, 10, T0), 0);
	assert_at(next(&h, 10, T0 + 0.1), 5);
	assert_at(next(&h, 10, T0 + 5.2), 15);
	assert_at(next(&h, 10, T0 + 15.1), 25);
	/* Missed ones are not made up for. */
	assert_at(next(&h, 10, T0 + 100), 105);
	/* Another interval begins anew; none ends it. */
	assert_at(next(&h, 60, T0 + 101), 101);
	assert_at(next(&h, 60, T0 + 102), 131);
	assert_at(next(&h, 0, T0 + 103), -1);
}

static void interval_and_back_off(void **state)
{
	struct health h;

	fail_at_t0(&h);
	assert_at(next(&h, 60, T0), 0);
	/* Long interval: the re-checks come first. */
	failure(&h, T0 + 0.1);
	assert_at(next(&h, 60, T0 + 0.1), 1);
	failure(&h, T0 + 1);
	assert_at(next(&h, 60, T0 + 1), 3);
	failure(&h, T0 + 3);
	failure(&h, T0 + 7);
	failure(&h, T0 + 15);
	/* Next re-check at 31, the probe at 30. */
	assert_at(next(&h, 60, T0 + 15), 30);
	/* Short interval: its probes come first, and are no re-checks. */
	fail_at_t0(&h);
	next(&h, 1, T0);
	failure(&h, T0 + 0.1);
	assert_at(next(&h, 1, T0 + 0.1), 0.5);
	failure(&h, T0 + 0.5);
	assert_at(next(&h, 1, T0 + 0.5), 1);
	failure(&h, T0 + 1);
	assert_at(next(&h, 1, T0 + 1), 1.5);
	failure(&h, T0 + 1.5);
	assert_at(next(&h, 1, T0 + 1.5), 2.5);
}

static void probes_are_spread(void **state)
{
	unsigned first[10] = {0}, second[10] = {0};

	for (uint32_t spread = 0; spread < 100; spread++) {
		struct health h;
		double a, b, c;

		health_init(&h, wall(T0));
		a = next_spread(&h, 10, T0, spread);
		assert_true(a >= 0 && a < 1);
		b = next_spread(&h, 10, T0 + a, spread);
		assert_true(b - a >= 5 && b - a < 10);
		c = next_spread(&h, 10, T0 + b, spread);
		assert_at(c - b, 10);
		first[(int)(a * 10)]++;
		second[(int)((b - a - 5) * 2)]++;
	}
	for (int i = 0; i < 10; i++) {
		assert_in_range(first[i], 5, 15);
		assert_in_range(second[i], 5, 15);
	}
}

static void network_change(void **state)
{
	struct health h;

	fail_at_t0(&h);
	next(&h, 0, T0);
	failure(&h, T0 + 1);
	failure(&h, T0 + 3);
	assert_at(next(&h, 0, T0 + 3), 7);
	assert_true(health_recheck_now(&h, ns(T0 + 4)));
	assert_at(next(&h, 0, T0 + 4), 4);
	failure(&h, T0 + 4.1);
	assert_at(next(&h, 0, T0 + 4.1), 5.1);
	failure(&h, T0 + 5.1);
	assert_at(next(&h, 0, T0 + 5.1), 7.1);
}

/* A network that changes ten times a second: ever fewer checks, as without news. */
static void restless_network(void **state)
{
	struct health h;
	double at;
	int checks = 0;

	fail_at_t0(&h);
	at = next(&h, 0, T0);
	for (int i = 1; i <= 600; i++) {
		double now = T0 + i / 10.0;

		if (health_recheck_now(&h, ns(now)))
			at = next(&h, 0, now);
		if (at > i / 10.0 + 0.01)
			continue;
		checks++;
		failure(&h, now);
		at = next(&h, 0, now);
	}
	assert_in_range(checks, 5, 14);
	/* What healed is checked at once again when it fails. */
	success(&h, T0 + 60.1);
	assert_true(health_recheck_now(&h, ns(T0 + 60.2)));
}

static void reset(void **state)
{
	struct health_view v;
	struct health h;

	fail_at_t0(&h);
	next(&h, 10, T0);
	health_reset(&h, wall(T0 + 1));
	health_view(&h, ns(T0 + 1), wall(T0 + 1), &v);
	assert_int_equal(v.state, HEALTH_HEALTHY);
	assert_int_equal(v.since_unix_ms, wall(T0 + 1));
	assert_int_equal(v.consecutive_failures, 0);
	assert_int_equal(v.last_failure_unix_ms, 0);
	assert_int_equal(v.last_error, 0);
	assert_int_equal(v.next_check_unix_ms, 0);
	assert_at(next(&h, 0, T0 + 1), -1);
	failure(&h, T0 + 1);
	assert_int_equal(failure(&h, T0 + 1), HEALTH_SAME);
	assert_int_equal(failure(&h, T0 + 1), HEALTH_BECAME_FAILED);
}

/* Eight threads that report without pause, and count the changes they are told of. */
#define THREADS 8
#define REPORTS 20000

struct reporter {
	pthread_t thread;
	struct health *h;
	unsigned seed;
	int percent_failures;
	unsigned failed, healthy;
};

static void *report_on(void *arg)
{
	struct reporter *r = arg;

	for (int i = 0; i < REPORTS; i++) {
		int err = rand_r(&r->seed) % 100 < r->percent_failures ? ECONNREFUSED : 0;

		switch (health_report(r->h, err, ns(T0) + (uint64_t)i, wall(T0) + (uint64_t)i)) {
		case HEALTH_BECAME_FAILED:
			r->failed++;
			break;
		case HEALTH_BECAME_HEALTHY:
			r->healthy++;
			break;
		case HEALTH_SAME:
			break;
		}
		health_state(r->h);
	}
	return NULL;
}

static void from_threads(struct health *h, int percent_failures, unsigned *failed,
			 unsigned *healthy)
{
	struct reporter r[THREADS];

	*failed = *healthy = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		r[i] = (struct reporter){.h = h,
					 .seed = i + 1,
					 .percent_failures = percent_failures};
		assert_int_equal(pthread_create(&r[i].thread, NULL, report_on, &r[i]), 0);
	}
	for (int i = 0; i < 1000; i++) {
		struct health_view v;

		health_next_check(h, 1, ns(T0) + (uint64_t)i, 0);
		health_view(h, ns(T0), wall(T0), &v);
		health_recheck_now(h, ns(T0) + (uint64_t)i);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(r[i].thread, NULL);
		*failed += r[i].failed;
		*healthy += r[i].healthy;
	}
}

static void eight_threads(void **state)
{
	unsigned failed, healthy;
	struct health h;

	health_init(&h, wall(T0));
	from_threads(&h, 100, &failed, &healthy);
	assert_int_equal(failed, 1);
	assert_int_equal(healthy, 0);
	assert_int_equal(h.failures, THREADS * REPORTS);
	from_threads(&h, 0, &failed, &healthy);
	assert_int_equal(failed, 0);
	assert_int_equal(healthy, 1);
	/* Each change is told once, so they alternate. */
	from_threads(&h, 50, &failed, &healthy);
	assert_true(failed > 1);
	assert_int_equal(failed - healthy, health_state(&h) == HEALTH_FAILED);
}

/* Failed whatever its connects come to, and neither checked nor brought back before the time is over. */
static void test_eject(void **state)
{
	struct health h;
	struct health_view v;

	health_init(&h, wall(T0 - 10));
	assert_int_equal(health_eject(&h, 5, ns(T0), wall(T0)), HEALTH_BECAME_FAILED);
	assert_int_equal(health_eject(&h, 5, ns(T0), wall(T0)), HEALTH_SAME);
	health_view(&h, ns(T0), wall(T0), &v);
	assert_int_equal(v.state, HEALTH_FAILED);
	assert_string_equal(health_cause_text(v.last_error), "ejected");
	assert_int_equal(v.next_check_unix_ms, wall(T0 + 5));
	assert_at(next(&h, 0, T0), 5);
	assert_at(next(&h, 1, T0 + 0.1), 5);
	assert_false(health_recheck_now(&h, ns(T0 + 1)));
	/* A client's connect succeeds, since that is what it is good at. */
	for (int i = 1; i < 4; i++)
		assert_int_equal(success(&h, T0 + i), HEALTH_SAME);
	assert_int_equal(health_state(&h), HEALTH_FAILED);
	assert_int_equal(success(&h, T0 + 5), HEALTH_SAME);
	assert_int_equal(success(&h, T0 + 6), HEALTH_BECAME_HEALTHY);
	/* Another failure of the ordinary kind is one of three again. */
	assert_int_equal(failure(&h, T0 + 7), HEALTH_SAME);
}

/* Where checks ask for more than a connect, a client's connect says nothing about what they found. */
static void test_connects_beside_checks(void **state)
{
	struct health h;

	health_init(&h, wall(T0));
	assert_int_equal(health_report(&h, HEALTH_UNEXPECTED, ns(T0), wall(T0)), HEALTH_SAME);
	/* Soon again, whatever the interval. */
	next(&h, 60, T0);
	assert_at(next(&h, 60, T0 + 2), 3);
	health_connected(&h, wall(T0 + 2));
	assert_int_equal(health_report(&h, HEALTH_SILENT, ns(T0 + 3), wall(T0 + 3)), HEALTH_SAME);
	health_connected(&h, wall(T0 + 3));
	assert_int_equal(health_report(&h, HEALTH_UNEXPECTED, ns(T0 + 4), wall(T0 + 4)),
			 HEALTH_BECAME_FAILED);
	health_connected(&h, wall(T0 + 5));
	health_connected(&h, wall(T0 + 6));
	assert_int_equal(health_state(&h), HEALTH_FAILED);
	assert_int_equal(success(&h, T0 + 7), HEALTH_SAME);
	assert_int_equal(success(&h, T0 + 8), HEALTH_BECAME_HEALTHY);
	/* Failed connects are another matter: a connect that works speaks against them. */
	failure(&h, T0 + 9);
	failure(&h, T0 + 10);
	health_connected(&h, wall(T0 + 11));
	assert_int_equal(failure(&h, T0 + 12), HEALTH_SAME);
}

static void test_cause_texts(void **state)
{
	assert_string_equal(health_cause_text(ECONNREFUSED), "Connection refused");
	assert_non_null(strstr(health_cause_text(HEALTH_NO_TLS), "TLS"));
	assert_string_equal(health_cause_text(HEALTH_NO_TLS + 1), "unknown error");
	assert_string_equal(health_cause_text(4000), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eject),
		cmocka_unit_test(test_connects_beside_checks),
		cmocka_unit_test(test_cause_texts),
		cmocka_unit_test(starts_healthy),
		cmocka_unit_test(third_failure),
		cmocka_unit_test(thirty_seconds_are_inside),
		cmocka_unit_test(beyond_thirty_seconds),
		cmocka_unit_test(window_slides),
		cmocka_unit_test(window_slides_far),
		cmocka_unit_test(success_between),
		cmocka_unit_test(reports_out_of_order),
		cmocka_unit_test(two_successes),
		cmocka_unit_test(failure_between_successes),
		cmocka_unit_test(last_success_is_coarse),
		cmocka_unit_test(healthy_without_interval_checks_nothing),
		cmocka_unit_test(backs_off),
		cmocka_unit_test(clients_failures_do_not_back_off),
		cmocka_unit_test(early_timer),
		cmocka_unit_test(unreported_check),
		cmocka_unit_test(asking_twice_changes_nothing),
		cmocka_unit_test(interval),
		cmocka_unit_test(interval_and_back_off),
		cmocka_unit_test(probes_are_spread),
		cmocka_unit_test(network_change),
		cmocka_unit_test(restless_network),
		cmocka_unit_test(reset),
		cmocka_unit_test(eight_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
