// SPDX-License-Identifier: MIT
/* Admission and permits: owner before rule, what is given back, turns of several, live changes. */
#include "selftests/unit/rig.h"

#include <sys/socket.h>
#include <unistd.h>

#include "edge/admit/owners.h"
#include "edge/admit/permit.h"
#include "lib/base/clock.h"

struct bench {
	struct loop loop;
	struct permits all;
	struct envelope *owner, *rule;
	struct admission admission;
	unsigned woken;
	struct work wake;
	int fd[2];
};

static void on_wake(struct work *w)
{
	container_of(w, struct bench, wake)->woken++;
}

static void open_bench(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	assert_int_equal(loop_init(&b->loop), 0);
	permits_init(&b->all, &b->loop, 0);
	b->owner = b->admission.by[ADMIT_OWNER] = envelope_new(2);
	b->rule = b->admission.by[ADMIT_RULE] = envelope_new(2);
	b->wake.run = on_wake;
	b->loop.now_ns = clock_mono_ns();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b->fd), 0);
}

static void close_bench(struct bench *b)
{
	assert_int_equal(b->all.slab.in_use, 0);
	permits_close(&b->all);
	loop_work_cancel(&b->loop, &b->wake);
	loop_close(&b->loop);
	envelope_unref(b->owner);
	envelope_unref(b->rule);
	close(b->fd[0]);
	close(b->fd[1]);
}

static void cap(struct bench *b, struct envelope *e, enum limit_key key, uint64_t value,
		uint64_t burst)
{
	static const enum limit_key bursts[] = {LIMIT_IN_BURST, LIMIT_OUT_BURST, LIMIT_NEW_BURST};
	struct rate_limit l = {.has = 1u << key};

	l.value[key] = value;
	if (burst) {
		l.has |= 1u << bursts[key];
		l.value[bursts[key]] = burst;
	}
	envelope_set(e, &l, b->loop.now_ns);
}

static struct envelope_figures figures(const struct envelope *e)
{
	struct envelope_figures f;

	envelope_read(e, &f);
	return f;
}

static bool enter(struct bench *b)
{
	return admit_enter(&b->admission, 0, false, b->loop.now_ns);
}

/* The rule refuses what the owner had let in: the owner's token and slot are there for the next. */
static void test_refusal_gives_back(void **state)
{
	struct bench b;

	open_bench(&b);
	cap(&b, b.owner, LIMIT_NEW_PER_SEC, 1, 2);
	cap(&b, b.rule, LIMIT_CONCURRENT, 1, 0);
	assert_true(enter(&b));
	for (int i = 0; i < 10; i++)
		assert_false(enter(&b));
	assert_int_equal(figures(b.rule).refused[REFUSED_CONCURRENT], 10);
	assert_int_equal(figures(b.owner).active, 1);
	assert_int_equal(figures(b.owner).refused[REFUSED_CONN_RATE], 0);
	admit_leave(&b.admission, 0);
	assert_true(enter(&b));
	admit_leave(&b.admission, 0);
	/* Now the owner's are used up. */
	assert_false(enter(&b));
	assert_int_equal(figures(b.owner).refused[REFUSED_CONN_RATE], 1);
	assert_int_equal(figures(b.rule).active, 0);
	close_bench(&b);
}

static void test_old_connections_count(void **state)
{
	struct bench b;

	open_bench(&b);
	assert_true(enter(&b));
	assert_true(admit_enter(&b.admission, 1, true, b.loop.now_ns));
	cap(&b, b.rule, LIMIT_CONCURRENT, 2, 0);
	assert_false(enter(&b));
	admit_leave(&b.admission, 1);
	assert_true(enter(&b));
	assert_false(admit_enter(&b.admission, 1, true, b.loop.now_ns));
	admit_leave(&b.admission, 0);
	admit_leave(&b.admission, 0);
	close_bench(&b);
}

static void test_reasons_of_flows(void **state)
{
	struct bench b;

	open_bench(&b);
	cap(&b, b.owner, LIMIT_NEW_PER_SEC, 1, 1);
	assert_true(admit_enter(&b.admission, 0, true, b.loop.now_ns));
	assert_false(admit_enter(&b.admission, 0, true, b.loop.now_ns));
	assert_int_equal(figures(b.owner).refused[REFUSED_FLOW_RATE], 1);
	admit_leave(&b.admission, 0);
	close_bench(&b);
}

static size_t budget_of(struct bench *b, struct permit **p, unsigned direction)
{
	const struct permit_want want = {.admission = &b->admission,
					 .direction = direction,
					 .fd = b->fd[0],
					 .wake = &b->wake};

	return permit_budget(&b->all, p, &want);
}

static size_t budget(struct bench *b, struct permit **p)
{
	return budget_of(b, p, ADMIT_IN);
}

static void put_back(struct bench *b, size_t n)
{
	const struct permit_want want = {.admission = &b->admission,
					 .direction = ADMIT_IN,
					 .fd = b->fd[0],
					 .wake = &b->wake};

	permit_return(&b->all, &want, n);
}

static void test_nobody_caps(void **state)
{
	struct permit *p = NULL;
	struct bench b;

	open_bench(&b);
	assert_true(budget(&b, &p) == PERMIT_ALL);
	cap(&b, b.rule, LIMIT_OUT_BPS, 1000, 0);
	assert_true(budget(&b, &p) == PERMIT_ALL);
	assert_null(p);
	close_bench(&b);
}

/* Ten that always have something to move get the same, and together the rate. */
static void test_equal_turns(void **state)
{
	char bytes[65536] = {0};
	struct permit *p[10] = {0};
	uint64_t got[10] = {0}, sum = 0, begun;
	struct bench b;

	open_bench(&b);
	cap(&b, b.owner, LIMIT_IN_BPS, 5000000, 0);
	cap(&b, b.rule, LIMIT_IN_BPS, 1000000, 10000);
	assert_true(write(b.fd[1], bytes, sizeof(bytes)) > 0);
	begun = b.loop.now_ns;
	while (b.loop.now_ns < begun + 10 * NS_PER_SEC) {
		for (int i = 0; i < 10; i++)
			got[i] += budget(&b, &p[i]);
		b.loop.now_ns += NS_PER_MS;
	}
	for (int i = 0; i < 10; i++) {
		assert_true(permit_waits(p[i]));
		sum += got[i];
		permit_free(p[i]);
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(got[i], 950000, 1050000);
	assert_in_range(sum, 10010000 - 30000, 10010000 + 30000);
	assert_int_equal(figures(b.owner).throttled_us[ADMIT_IN], 0);
	assert_in_range(figures(b.rule).throttled_us[ADMIT_IN], 90000000, 100000000);
	close_bench(&b);
}

/* What is not used is not lost, nor kept from others of another worker. */
static void test_unused_is_given_back(void **state)
{
	struct permit *p = NULL;
	uint64_t moved = 0;
	struct bench b;
	size_t n;

	open_bench(&b);
	assert_int_equal(write(b.fd[1], "x", 1), 1);
	cap(&b, b.rule, LIMIT_IN_BPS, 100000000, 0);
	for (int i = 0; i < 1000000; i++) {
		n = budget(&b, &p);
		assert_true(n >= 1 && n != PERMIT_ALL);
		put_back(&b, n - 1);
		moved++;
	}
	/* One byte of a hundred is gone, so all but one of a hundred are left. */
	while ((n = bucket_take(&b.rule->bytes[ADMIT_IN], BUCKET_GRANT_MAX, b.loop.now_ns)))
		moved += n;
	assert_in_range(moved, 100000000 - 70000, 100000000 + 130000);
	assert_null(p);
	close_bench(&b);
}

static void test_an_end_costs_nothing(void **state)
{
	struct permit *p = NULL;
	struct bench b;

	open_bench(&b);
	cap(&b, b.rule, LIMIT_IN_BPS, 1000, 10);
	while (bucket_take(&b.rule->bytes[ADMIT_IN], 1000, b.loop.now_ns))
		;
	assert_int_equal(budget(&b, &p), 1);
	put_back(&b, 1);
	assert_null(p);
	close_bench(&b);
}

/* What was read to see where a client belongs is paid for by who comes next. */
static void test_a_charge_is_a_debt(void **state)
{
	struct permit *p = NULL;
	struct bench b;

	open_bench(&b);
	assert_int_equal(write(b.fd[1], "x", 1), 1);
	admit_charge(&b.admission, ADMIT_IN, 1000, b.loop.now_ns);
	assert_true(budget(&b, &p) == PERMIT_ALL);
	cap(&b, b.rule, LIMIT_IN_BPS, 1000, 100);
	admit_charge(&b.admission, ADMIT_IN, 1100, b.loop.now_ns);
	assert_int_equal(budget(&b, &p), 0);
	b.loop.now_ns += NS_PER_SEC + 1;
	assert_int_equal(budget(&b, &p), 1);
	permit_free(p);
	close_bench(&b);
}

static void test_change_wakes_who_waits(void **state)
{
	struct permit *p = NULL;
	struct bench b;

	open_bench(&b);
	assert_int_equal(write(b.fd[1], "x", 1), 1);
	cap(&b, b.owner, LIMIT_IN_BPS, 1, 1);
	assert_int_equal(budget(&b, &p), 1);
	assert_int_equal(budget(&b, &p), 1); /* its time is now: the debt of one operation */
	assert_int_equal(budget(&b, &p), 0);
	assert_true(permit_waits(p));
	permits_recheck(&b.all);
	assert_null(b.wake.entry.tqe_prev);
	cap(&b, b.owner, LIMIT_IN_BPS, 1000000, 0);
	permits_recheck(&b.all);
	assert_non_null(b.wake.entry.tqe_prev);
	b.loop.now_ns += NS_PER_MS;
	assert_true(budget(&b, &p) > 1);
	assert_false(permit_waits(p));
	permit_free(p);
	close_bench(&b);
}

/* Both directions wait, the way in for a second and the way out for two. */
static struct permit *two_that_wait(struct bench *b)
{
	const struct rate_limit l = {.has = 1u << LIMIT_IN_BPS | 1u << LIMIT_OUT_BPS,
				     .value = {[LIMIT_IN_BPS] = 1000, [LIMIT_OUT_BPS] = 1000}};
	struct permit *p = NULL;

	open_bench(b);
	assert_int_equal(write(b->fd[1], "a turn of 20 bytes..", 20), 20);
	envelope_set(b->rule, &l, b->loop.now_ns);
	bucket_book(&b->rule->bytes[ADMIT_IN], 2000, b->loop.now_ns);
	bucket_book(&b->rule->bytes[ADMIT_OUT], 3000, b->loop.now_ns);
	assert_int_equal(budget_of(b, &p, ADMIT_IN), 0);
	assert_int_equal(budget_of(b, &p, ADMIT_OUT), 0);
	return p;
}

/* One was woken for a direction that has nothing to ask any more: the other one's turn comes all the same. */
static void test_each_turn_comes(void **state)
{
	struct permit *p;
	struct bench b;

	p = two_that_wait(&b);
	b.loop.now_ns += NS_PER_SEC + NS_PER_MS;
	timer_fire_due(&b.loop.timers, b.loop.now_ns);
	assert_non_null(b.wake.entry.tqe_prev);
	loop_work_cancel(&b.loop, &b.wake);
	assert_int_equal(budget_of(&b, &p, ADMIT_OUT), 0);
	assert_in_range(timer_next(&b.loop.timers), b.loop.now_ns + 1, b.loop.now_ns + NS_PER_SEC);
	b.loop.now_ns += NS_PER_SEC;
	timer_fire_due(&b.loop.timers, b.loop.now_ns);
	assert_non_null(b.wake.entry.tqe_prev);
	assert_int_equal(budget_of(&b, &p, ADMIT_OUT), 20);
	permit_free(p);
	close_bench(&b);
}

/* A direction that is through waits for nothing, and what it booked is there for others. */
static void test_a_booking_is_given_up(void **state)
{
	struct permit *p, *other = NULL;
	struct bench b;

	p = two_that_wait(&b);
	permit_cancel(NULL, ADMIT_IN);
	permit_cancel(p, ADMIT_IN);
	permit_cancel(p, ADMIT_IN);
	assert_true(permit_waits(p));
	assert_true(timer_next(&b.loop.timers) > b.loop.now_ns + NS_PER_SEC);
	b.loop.now_ns += NS_PER_SEC + 2 * NS_PER_MS;
	assert_true(budget(&b, &other) > 0);
	permit_cancel(p, ADMIT_OUT);
	assert_false(permit_waits(p));
	assert_true(timer_next(&b.loop.timers) == UINT64_MAX);
	permit_free(p);
	permit_free(other);
	close_bench(&b);
}

static void test_owners(void **state)
{
	struct rate_limit l = {.has = 1u << LIMIT_CONCURRENT, .value = {[LIMIT_CONCURRENT] = 5}};
	struct owners o = {.n_workers = 2};
	struct envelope *e = envelope_ref(owners_envelope(&o, "ann"));

	assert_ptr_equal(owners_envelope(&o, "ann"), e);
	assert_null(owners_envelope(&o, NULL));
	assert_int_equal(owners_set(&o, "bob", NULL, 1), 0);
	assert_null(owners_find(&o, "bob"));
	assert_int_equal(owners_set(&o, "ann", &l, 1), 1);
	assert_int_equal(owners_set(&o, "ann", &l, 1), 0);
	assert_int_equal(e->concurrent, 5);
	envelope_unref(e);
	owners_tidy(&o);
	assert_non_null(owners_find(&o, "ann"));
	assert_int_equal(owners_set(&o, "ann", NULL, 1), 1);
	owners_tidy(&o);
	assert_null(owners_find(&o, "ann"));
	owners_close(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusal_gives_back),
		cmocka_unit_test(test_old_connections_count),
		cmocka_unit_test(test_reasons_of_flows),
		cmocka_unit_test(test_nobody_caps),
		cmocka_unit_test(test_equal_turns),
		cmocka_unit_test(test_unused_is_given_back),
		cmocka_unit_test(test_an_end_costs_nothing),
		cmocka_unit_test(test_a_charge_is_a_debt),
		cmocka_unit_test(test_change_wakes_who_waits),
		cmocka_unit_test(test_each_turn_comes),
		cmocka_unit_test(test_a_booking_is_given_up),
		cmocka_unit_test(test_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
