// SPDX-License-Identifier: MIT
/* The mailbox: every job once, in order, and no wake-up lost, with four threads posting. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "edge/loop/mailbox.h"

#define THREADS 4
#define EACH	5000

struct numbered {
	struct job job;
	int from, number;
};

static int last[THREADS], total;

static void run(struct job *job)
{
	struct numbered *n = (struct numbered *)job;

	assert_int_equal(n->number, last[n->from] + 1);
	last[n->from] = n->number;
	total++;
	free(n);
}

struct poster {
	struct mailbox *m;
	int from, pause_every;
};

static void *post_many(void *arg)
{
	struct poster *p = arg;

	for (int i = 1; i <= EACH; i++) {
		struct numbered *n = malloc(sizeof(*n));

		*n = (struct numbered){.job.run = run, .from = p->from, .number = i};
		mailbox_post(p->m, &n->job);
		if (i % p->pause_every == 0)
			sched_yield();
	}
	return NULL;
}

static bool readable(const struct mailbox *m, int ms)
{
	struct pollfd p = {.fd = m->fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static void test_threads(void **state)
{
	struct mailbox m;
	pthread_t t[THREADS];
	struct poster p[THREADS];

	memset(last, 0, sizeof(last));
	total = 0;
	assert_int_equal(mailbox_init(&m), 0);
	for (int i = 0; i < THREADS; i++) {
		p[i] = (struct poster){.m = &m, .from = i, .pause_every = 1 + i};
		assert_int_equal(pthread_create(&t[i], NULL, post_many, &p[i]), 0);
	}
	/* Waits before each run, so a lost wake-up ends this. */
	while (total < THREADS * EACH) {
		assert_true(readable(&m, 5000));
		mailbox_run(&m);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	mailbox_run(&m);
	assert_false(readable(&m, 0));
	assert_int_equal(total, THREADS * EACH);
	mailbox_close(&m);
}

struct posting {
	struct job job;
	struct mailbox *m;
	int runs;
};

/* Posts itself again: that is for the next run, not for this one. */
static void run_again(struct job *job)
{
	struct posting *p = (struct posting *)job;

	if (++p->runs < 3)
		mailbox_post(p->m, job);
}

static void test_posts_itself(void **state)
{
	struct mailbox m;
	struct posting p = {.job.run = run_again, .m = &m};

	assert_int_equal(mailbox_init(&m), 0);
	mailbox_post(&m, &p.job);
	for (int i = 1; i <= 3; i++) {
		assert_true(readable(&m, 0));
		mailbox_run(&m);
		assert_int_equal(p.runs, i);
	}
	assert_false(readable(&m, 0));
	mailbox_close(&m);
}

static void test_close_runs_the_rest(void **state)
{
	struct mailbox m;
	struct posting p = {.job.run = run_again, .m = &m, .runs = 2};

	assert_int_equal(mailbox_init(&m), 0);
	mailbox_post(&m, &p.job);
	mailbox_close(&m);
	assert_int_equal(p.runs, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_posts_itself),
		cmocka_unit_test(test_close_runs_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
