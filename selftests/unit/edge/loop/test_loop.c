// SPDX-License-Identifier: MIT
/* The loop: events and their slots, work in turns, burials after the batch, jobs, timers. */
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "selftests/unit/rig.h"
#include "lib/base/container_of.h"

struct thing {
	struct io io;
	struct loop *loop;
	int fd[3];
	unsigned seen[3]; /* events by slot */
	struct thing *kills;
	struct deferred_free deferred;
	bool buried;
} __attribute__((aligned(IO_ALIGN)));

static unsigned batches_dead; /* events that reached something dead */

static void free_thing(struct deferred_free *c)
{
	(container_of(c, struct thing, deferred))->buried = true;
}

static void on_event(struct io *io, unsigned slot, uint32_t events)
{
	struct thing *t = (struct thing *)io;

	assert_false(t->buried);
	if (t->fd[slot] < 0) {
		batches_dead++;
		return;
	}
	t->seen[slot]++;
	if (t->kills && t->kills->fd[0] >= 0) {
		close(t->kills->fd[0]);
		t->kills->fd[0] = -1;
		loop_defer_free(t->loop, &t->kills->deferred, free_thing);
		assert_false(t->kills->buried);
	}
}

static void open_thing(struct thing *t, struct loop *l, unsigned fds)
{
	memset(t, 0, sizeof(*t));
	t->io.event = on_event;
	t->loop = l;
	for (unsigned i = 0; i < 3; i++) {
		t->fd[i] = -1;
		if (i >= fds)
			continue;
		t->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_int_equal(loop_add(l, t->fd[i], &t->io, i, EPOLLIN | EPOLLET), 0);
	}
}

static void close_thing(struct thing *t)
{
	for (unsigned i = 0; i < 3; i++)
		if (t->fd[i] >= 0)
			close(t->fd[i]);
}

static void test_slots(void **state)
{
	struct loop l;
	struct thing a, b;

	assert_int_equal(loop_init(&l), 0);
	open_thing(&a, &l, 3);
	open_thing(&b, &l, 1);
	eventfd_write(a.fd[1], 1);
	eventfd_write(a.fd[2], 1);
	rig_spin(&l, 3);
	assert_int_equal(a.seen[0], 0);
	assert_int_equal(a.seen[1], 1);
	assert_int_equal(a.seen[2], 1);
	/* Edge-triggered: unread is not told again, until it is moved to another object. */
	assert_int_equal(loop_move(&l, a.fd[2], &b.io, 0, EPOLLIN | EPOLLET), 0);
	rig_spin(&l, 3);
	assert_int_equal(a.seen[2], 1);
	assert_int_equal(b.seen[0], 1);
	assert_true(loop_add(&l, a.fd[1], &a.io, 1, EPOLLIN) < 0);
	close_thing(&a);
	close_thing(&b);
	loop_close(&l);
}

/* The first of a batch ends the second: its event still comes, and finds it dead but not freed. */
static void test_free_after_batch(void **state)
{
	struct loop l;
	struct thing a, b;

	assert_int_equal(loop_init(&l), 0);
	open_thing(&a, &l, 1);
	open_thing(&b, &l, 1);
	batches_dead = 0;
	a.kills = &b;
	b.kills = &a;
	eventfd_write(a.fd[0], 1);
	eventfd_write(b.fd[0], 1);
	rig_spin(&l, 3);
	assert_int_equal(a.seen[0] + b.seen[0], 1);
	assert_int_equal(batches_dead, 1);
	assert_int_equal(a.buried + b.buried, 1);
	close_thing(&a);
	close_thing(&b);
	loop_close(&l);
}

struct turn {
	struct work work;
	struct loop *loop;
	struct turn *cancels;
	unsigned turns, again;
};

static unsigned order[64], n_order;

static void take_turn(struct work *w)
{
	struct turn *t = (struct turn *)w;

	if (n_order < 64)
		order[n_order++] = t->again;
	t->turns++;
	if (t->cancels)
		loop_work_cancel(t->loop, &t->cancels->work);
	if (t->turns < t->again)
		loop_work(t->loop, w);
}

/* Those that want more turns take them in rounds, and other events come between. */
static void test_work_in_rounds(void **state)
{
	struct loop l;
	struct turn t[3];
	static const unsigned want[] = {4, 2, 3, 4, 2, 3, 4, 3, 4};

	assert_int_equal(loop_init(&l), 0);
	n_order = 0;
	for (unsigned i = 0; i < 3; i++) {
		t[i] = (struct turn){.work.run = take_turn, .loop = &l};
		t[i].again = i == 0 ? 4 : i == 1 ? 2 : 3;
		loop_work(&l, &t[i].work);
		loop_work(&l, &t[i].work); /* is queued already */
	}
	assert_int_equal(l.n_work, 3);
	rig_spin(&l, 3);
	assert_int_equal(n_order, 9);
	assert_memory_equal(order, want, sizeof(want));
	assert_int_equal(l.n_work, 0);
	assert_true(TAILQ_EMPTY(&l.work));
	loop_close(&l);
}

static void test_work_cancelled(void **state)
{
	struct loop l;
	struct turn a = {.work.run = take_turn, .loop = &l}, b = a, c = a;

	assert_int_equal(loop_init(&l), 0);
	a.cancels = &c; /* the last of the queue */
	loop_work(&l, &a.work);
	loop_work(&l, &b.work);
	loop_work(&l, &c.work);
	loop_work_cancel(&l, &b.work);
	loop_work_cancel(&l, &b.work);
	rig_spin(&l, 3);
	assert_int_equal(a.turns, 1);
	assert_int_equal(b.turns, 0);
	assert_int_equal(c.turns, 0);
	loop_work(&l, &b.work);
	rig_spin(&l, 3);
	assert_int_equal(b.turns, 1);
	loop_close(&l);
}

/* One that never ends does not keep events and timers waiting. */
static void forever(struct work *w)
{
	struct turn *t = (struct turn *)w;

	t->turns++;
	loop_work(t->loop, w);
}

static bool seen(void *arg)
{
	return ((struct thing *)arg)->seen[0];
}

static void test_work_is_fair(void **state)
{
	struct loop l;
	struct thing a;
	struct turn t = {.work.run = forever, .loop = &l};

	assert_int_equal(loop_init(&l), 0);
	open_thing(&a, &l, 1);
	loop_work(&l, &t.work);
	eventfd_write(a.fd[0], 1);
	assert_true(rig_until(&l, 1000, seen, &a));
	assert_true(t.turns > 0);
	loop_work_cancel(&l, &t.work);
	close_thing(&a);
	loop_close(&l);
}

struct order {
	struct job job;
	struct loop *loop;
};

static void stop_it(struct job *job)
{
	loop_stop(((struct order *)job)->loop);
}

static void *post_stop(void *arg)
{
	struct order *o = arg;

	usleep(10000);
	loop_post(o->loop, &o->job);
	return NULL;
}

/* Sleeping without any timer, woken from another thread. */
static void test_job_wakes(void **state)
{
	struct loop l;
	pthread_t t;
	struct order o = {.job.run = stop_it, .loop = &l};

	assert_int_equal(loop_init(&l), 0);
	pthread_create(&t, NULL, post_stop, &o);
	loop_run(&l);
	pthread_join(t, NULL);
	loop_close(&l);
}

/* More events than one batch takes; each counts, and the timer looks at the count when it fires. */
#define CROWD 700

struct crowd {
	struct io io;
	struct loop *loop;
	struct timer timer;
	int fd[CROWD];
	unsigned seen, seen_at_timer;
} __attribute__((aligned(IO_ALIGN)));

static void on_crowd_event(struct io *io, unsigned slot, uint32_t events)
{
	container_of(io, struct crowd, io)->seen++;
}

static void on_crowd_timer(struct timer *timer)
{
	struct crowd *c = container_of(timer, struct crowd, timer);

	c->seen_at_timer = c->seen;
	loop_stop(c->loop);
}

static void open_crowd(struct crowd *c, struct loop *l, unsigned n)
{
	memset(c, 0, sizeof(*c));
	c->io.event = on_crowd_event;
	c->timer.fire = on_crowd_timer;
	c->loop = l;
	for (unsigned i = 0; i < n; i++) {
		c->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_int_equal(loop_add(l, c->fd[i], &c->io, 0, EPOLLIN | EPOLLET), 0);
	}
}

/* A process that stood still: the events of that time come before any timer that has become due. */
static void test_timers_wait_for_events(void **state)
{
	struct loop l;
	static struct crowd c;

	assert_int_equal(loop_init(&l), 0);
	open_crowd(&c, &l, CROWD);
	for (unsigned i = 0; i < CROWD; i++)
		eventfd_write(c.fd[i], 1);
	timer_set(&l.timers, &c.timer, 1);
	loop_run(&l);
	assert_int_equal(c.seen_at_timer, CROWD);
	for (unsigned i = 0; i < CROWD; i++)
		close(c.fd[i]);
	loop_close(&l);
}

static int fd_of_handler;
static uint64_t due_ns, handled_ns;

/* Stands for what happens while a process is stopped: an event comes, and a timer becomes due. */
static void on_signal(int sig)
{
	handled_ns = clock_mono_ns();
	eventfd_write(fd_of_handler, 1);
	while (clock_mono_ns() < due_ns + 10 * NS_PER_MS)
		usleep(1000);
}

static void *send_signal(void *arg)
{
	usleep(20000);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

/* How many events the timer saw. */
static unsigned interrupt_a_wait(void)
{
	pthread_t t, self = pthread_self();
	struct loop l;
	static struct crowd c;

	assert_int_equal(loop_init(&l), 0);
	open_crowd(&c, &l, 1);
	fd_of_handler = c.fd[0];
	due_ns = clock_mono_ns() + 50 * NS_PER_MS;
	timer_set(&l.timers, &c.timer, due_ns);
	pthread_create(&t, NULL, send_signal, &self);
	loop_run(&l);
	pthread_join(t, NULL);
	close(c.fd[0]);
	loop_close(&l);
	return c.seen_at_timer;
}

/* A stop or a freeze ends epoll_wait() with EINTR: no reason to skip the events and fire the timers. */
static void test_interrupted_wait_takes_events(void **state)
{
	const struct sigaction act = {.sa_handler = on_signal};
	unsigned seen, tries = 0;

	sigaction(SIGUSR1, &act, NULL);
	/* On a busy machine the signal may come when the timer is due: that says nothing. */
	do {
		seen = interrupt_a_wait();
		assert_true(++tries < 200);
	} while (handled_ns >= due_ns);
	assert_int_equal(seen, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_free_after_batch),
		cmocka_unit_test(test_work_in_rounds),
		cmocka_unit_test(test_work_cancelled),
		cmocka_unit_test(test_work_is_fair),
		cmocka_unit_test(test_job_wakes),
		cmocka_unit_test(test_timers_wait_for_events),
		cmocka_unit_test(test_interrupted_wait_takes_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
