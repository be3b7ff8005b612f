// SPDX-License-Identifier: MIT
/* Jobs that may wait: done on another thread, answered on this one, and the end does not wait for ever. */
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "edge/loop/offload.h"
#include "lib/base/container_of.h"
#include "selftests/unit/rig.h"

struct task {
	struct offload_job job;
	struct event_base *base;
	struct offload *offload;
	struct task *then; /* posted by done() */
	pthread_t worked_on, done_on;
	int from; /* read until its end by work() */
	unsigned *order, number;
};

static void work(struct offload_job *job)
{
	struct task *t = container_of(job, struct task, job);
	char c;

	t->worked_on = pthread_self();
	if (t->from >= 0 && read(t->from, &c, 1) < 0)
		t->from = -1;
}

static void done(struct offload_job *job)
{
	struct task *t = container_of(job, struct task, job);

	t->done_on = pthread_self();
	t->number = ++*t->order;
	if (t->then)
		offload_post(t->offload, &t->then->job);
	else if (t->base)
		event_base_loopbreak(t->base);
}

static struct task task(struct offload *o, unsigned *order)
{
	return (struct task){.job = {.work = work, .done = done},
			     .offload = o,
			     .from = -1,
			     .order = order};
}

static void test_there_and_back(void **state)
{
	struct event_base *base = event_base_new();
	struct offload *o = offload_new(base, "test");
	unsigned order = 0;
	struct task a = task(o, &order), b = task(o, &order);

	assert_non_null(o);
	b.base = base;
	offload_post(o, &a.job);
	offload_post(o, &b.job);
	event_base_dispatch(base);
	assert_int_equal(a.number, 1);
	assert_int_equal(b.number, 2);
	assert_false(pthread_equal(a.worked_on, pthread_self()));
	assert_true(pthread_equal(a.done_on, pthread_self()));
	assert_true(offload_free(o, 1000));
	event_base_free(base);
}

/* What an answer asks for is done too before the end. */
static void test_the_end_comes_after_all(void **state)
{
	struct event_base *base = event_base_new();
	struct offload *o = offload_new(base, "test");
	unsigned order = 0;
	struct task a = task(o, &order), b = task(o, &order), c = task(o, &order);

	a.then = &b;
	b.then = &c;
	offload_post(o, &a.job);
	offload_settle(o);
	assert_int_equal(order, 1);
	assert_true(offload_free(o, 1000));
	assert_int_equal(c.number, 3);
	event_base_free(base);
}

static void test_the_end_is_not_for_ever(void **state)
{
	struct event_base *base = event_base_new();
	struct offload *o = offload_new(base, "test");
	/* The thread goes on with it, as in a process that ends. */
	struct task *stuck = malloc(sizeof(*stuck));
	unsigned order = 0;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	*stuck = task(o, &order);
	stuck->from = ends[0];
	offload_post(o, &stuck->job);
	assert_false(offload_free(o, 1000));
	assert_int_equal(order, 0);
	/* For the sanitizer's sake it comes to its end after all. */
	close(ends[1]);
	offload_settle(o);
	assert_int_equal(order, 1);
	close(ends[0]);
	free(stuck);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_the_end_comes_after_all),
		cmocka_unit_test(test_the_end_is_not_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
