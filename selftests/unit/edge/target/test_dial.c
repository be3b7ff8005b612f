// SPDX-License-Identifier: MIT
/* Dialling one target, with real sockets: every result, where it is counted and who hears of it. */
#include <sys/resource.h>

#include "edge/resolve/resolve.h"
#include "edge/target/dial.h"
#include "selftests/unit/rig_conn.h"

/* Stands in for the resolver: one name, with the answer that the test sets. */
static struct resolve_addrs answer, answer_again;
static int answer_err;
static bool asked_late; /* the question has not been sent yet */
static struct resolve_waiters waiters = LIST_HEAD_INITIALIZER(waiters), ready;

int resolve_lookup(struct resolver *r, const char *host, uint16_t port, bool prefer_ipv6,
		   struct resolve_addrs *out, struct resolve_waiter *w)
{
	if (addr_parse_literal(host, port, &out->addr[0]) == 0) {
		out->n = 1;
		return 0;
	}
	if (!answer_err)
		*out = answer;
	if (answer_err == -EAGAIN) {
		LIST_INSERT_HEAD(&waiters, w, link);
		w->waiting = true;
	}
	return answer_err;
}

bool resolve_again(struct resolver *r, const char *host, struct resolve_waiter *w)
{
	if (!answer_again.n)
		return false;
	answer = answer_again;
	LIST_INSERT_HEAD(&waiters, w, link);
	w->waiting = true;
	return true;
}

struct resolve_waiter *resolve_next_ready(struct resolver *r, struct resolve_inbox *inbox)
{
	struct resolve_waiter *w = LIST_FIRST(&ready);

	if (w) {
		LIST_REMOVE(w, link);
		w->waiting = false;
	}
	return w;
}

void resolve_cancel(struct resolver *r, struct resolve_waiter *w)
{
	if (w->waiting)
		LIST_REMOVE(w, link);
	w->waiting = false;
}

bool resolve_is_late(struct resolver *r, const struct resolve_waiter *w)
{
	return asked_late;
}

/* What a worker does when its inbox has something. */
static void names_ready(struct dial_env *env)
{
	struct resolve_waiter *w;

	while ((w = LIST_FIRST(&waiters))) {
		LIST_REMOVE(w, link);
		LIST_INSERT_HEAD(&ready, w, link);
	}
	dial_names_ready(env);
}

static void answer_with(unsigned n, const uint16_t *ports)
{
	answer_err = 0;
	answer.n = n;
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(addr_parse_literal("127.0.0.1", ports[i], &answer.addr[i]), 0);
}

struct dialling {
	struct rig_conn r;
	struct target *target;
	struct dial *up;
	int done, result;
	uint64_t at_ns;
};

static void on_done(struct dial *up, int result)
{
	struct dialling *d = dial_arg(up);

	d->done++;
	d->result = result;
	d->at_ns = clock_mono_ns();
}

static bool is_done(void *arg)
{
	return ((struct dialling *)arg)->done;
}

/* A rule of two targets, so that the first of them, which is dialled, has a health. */
static void open_dialling(struct dialling *d, const char *host, uint16_t port)
{
	struct rule *rule = rig_rule(1, 1, 2, (uint16_t[]){port, 1});

	memset(d, 0, sizeof(*d));
	rig_conn_open(&d->r);
	free(rule->targets[0].host);
	rule->targets[0].host = strdup(host);
	rig_conn_rule(&d->r, rule);
	d->target = d->r.service->target[0];
}

static void close_dialling(struct dialling *d)
{
	assert_int_equal(rig_pending(d->target), 0);
	rig_conn_close(&d->r);
}

static struct dial *start(struct dialling *d, uint32_t timeout_ms, bool probe)
{
	struct dial_want want = {
		.target = d->target,
		.timeout_ms = timeout_ms,
		.probe = probe,
		.done = on_done,
		.arg = d,
	};

	d->done = 0;
	d->r.loop.now_ns = clock_mono_ns();
	d->up = dial_start(&d->r.env.dials, &want, &d->result);
	return d->up;
}

/* Starts and waits for the end, whichever way it comes. */
static int dial(struct dialling *d, uint32_t timeout_ms)
{
	if (start(d, timeout_ms, false))
		assert_true(rig_until(&d->r.loop, timeout_ms + 500, is_done, d));
	return d->result;
}

static void test_success(void **state)
{
	struct dialling d;
	uint16_t port;
	int l = rig_listen(&port, 8), fd;

	open_dialling(&d, "127.0.0.1", port);
	fd = dial(&d, 1000);
	assert_true(fd >= 0);
	assert_int_equal(target_sum(d.target).attempted, 1);
	assert_int_equal(target_sum(d.target).ok, 1);
	assert_true(atomic_load(&d.target->connect_us) > 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	close(l);
	close_dialling(&d);
}

/* The loop stood still beyond the time-out, and its timers come first: the answers are in the sockets. */
static void test_late_look_at_an_answer(void **state)
{
	struct dialling d;
	uint16_t port, refusing;
	int l = rig_listen(&port, 8), fd = rig_refusing(&refusing);

	open_dialling(&d, "127.0.0.1", port);
	assert_non_null(start(&d, 20, false));
	usleep(30000);
	d.r.loop.now_ns = clock_mono_ns();
	timer_fire_due(&d.r.loop.timers, d.r.loop.now_ns);
	assert_int_equal(d.done, 1);
	assert_true(d.result >= 0);
	assert_int_equal(target_sum(d.target).timed_out, 0);
	close(d.result);
	close_dialling(&d);

	open_dialling(&d, "127.0.0.1", refusing);
	assert_non_null(start(&d, 20, false));
	usleep(30000);
	d.r.loop.now_ns = clock_mono_ns();
	timer_fire_due(&d.r.loop.timers, d.r.loop.now_ns);
	assert_int_equal(d.result, -ECONNREFUSED);
	assert_int_equal(target_sum(d.target).timed_out, 0);
	close_dialling(&d);
	close(l);
	close(fd);
}

/* The same with a name whose answer is in the cache, while the job that says so is not run yet. */
static void test_late_look_at_a_name(void **state)
{
	struct dialling d;
	uint16_t port;
	int l = rig_listen(&port, 8);

	answer_err = -EAGAIN;
	open_dialling(&d, "db.test", port);
	assert_non_null(start(&d, 20, false));
	answer_with(1, &port);
	usleep(30000);
	d.r.loop.now_ns = clock_mono_ns();
	timer_fire_due(&d.r.loop.timers, d.r.loop.now_ns);
	assert_true(rig_until(&d.r.loop, 500, is_done, &d));
	assert_true(d.result >= 0);
	close(d.result);
	close(l);
	close_dialling(&d);
}

static void test_refused(void **state)
{
	struct dialling d;
	uint16_t port;
	int fd = rig_refusing(&port);

	open_dialling(&d, "127.0.0.1", port);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(dial(&d, 1000), -ECONNREFUSED);
		assert_int_equal(target_sum(d.target).failed, i);
		assert_int_equal(d.r.changes, i == 3);
	}
	assert_int_equal(health_state(&d.target->health), HEALTH_FAILED);
	close(fd);
	close_dialling(&d);
}

static void test_timeout(void **state)
{
	struct dialling d;
	struct rig_hole hole;
	uint64_t begun = clock_mono_ns();

	rig_hole_open(&hole);
	open_dialling(&d, "127.0.0.1", hole.port);
	assert_int_equal(dial(&d, 120), -ETIMEDOUT);
	assert_true(d.at_ns - begun >= 119 * NS_PER_MS);
	assert_true(d.at_ns - begun < 400 * NS_PER_MS);
	assert_int_equal(target_sum(d.target).timed_out, 1);
	assert_int_equal(atomic_load(&d.target->health.failures), 1);
	rig_hole_close(&hole);
	close_dialling(&d);
}

/* Established and then reset is established, whether or not we were quick enough to see both. */
static void test_reset_after_accept(void **state)
{
	struct dialling d;
	uint16_t port;
	int l = rig_listen(&port, 8), fd;

	open_dialling(&d, "127.0.0.1", port);
	assert_non_null(start(&d, 1000, false));
	rig_reset(accept(l, NULL, NULL));
	assert_true(rig_until(&d.r.loop, 500, is_done, &d));
	fd = d.result;
	assert_true(fd >= 0);
	assert_int_equal(target_sum(d.target).ok, 1);
	assert_int_equal(atomic_load(&d.target->health.failures), 0);
	close(fd);
	close(l);
	close_dialling(&d);
}

/* A black hole first: the second address starts 250 ms later, and wins. */
static void test_stagger(void **state)
{
	struct dialling d;
	struct rig_hole hole;
	uint16_t port;
	int l = rig_listen(&port, 8);
	uint64_t begun;

	rig_hole_open(&hole);
	open_dialling(&d, "name.test", 1);
	answer_with(2, (uint16_t[]){hole.port, port});
	begun = clock_mono_ns();
	assert_true(dial(&d, 2000) >= 0);
	assert_true(d.at_ns - begun >= 249 * NS_PER_MS);
	assert_true(d.at_ns - begun < 500 * NS_PER_MS);
	assert_int_equal(target_sum(d.target).attempted, 2);
	assert_int_equal(target_sum(d.target).ok, 1);
	assert_int_equal(target_sum(d.target).abandoned, 1);
	assert_int_equal(atomic_load(&d.target->health.failures), 0);
	close(d.result);
	close(l);
	rig_hole_close(&hole);
	close_dialling(&d);
}

/* A refusal starts the next address at once; the target fails once, with the last. */
static void test_addresses_in_turn(void **state)
{
	struct dialling d;
	uint16_t a, b, port;
	int fa = rig_refusing(&a), fb = rig_refusing(&b), l = rig_listen(&port, 8);
	uint64_t begun;

	open_dialling(&d, "name.test", 1);
	answer_with(2, (uint16_t[]){a, b});
	begun = clock_mono_ns();
	assert_int_equal(dial(&d, 2000), -ECONNREFUSED);
	assert_true(d.at_ns - begun < 200 * NS_PER_MS);
	assert_int_equal(target_sum(d.target).failed, 2);
	assert_int_equal(atomic_load(&d.target->health.failures), 1);

	answer_with(3, (uint16_t[]){a, b, port});
	assert_true(dial(&d, 2000) >= 0);
	assert_int_equal(target_sum(d.target).attempted, 5);
	assert_int_equal(atomic_load(&d.target->health.failures), 0);
	close(d.result);
	close(l);
	close(fa);
	close(fb);
	close_dialling(&d);
}

static void test_name_fails(void **state)
{
	struct dialling d;

	open_dialling(&d, "name.test", 1);
	answer_err = -ENOENT;
	assert_int_equal(dial(&d, 1000), -EHOSTUNREACH);
	assert_int_equal(target_sum(d.target).failed, 1);
	assert_int_equal(atomic_load(&d.target->health.failures), 1);
	assert_int_equal(totals_sum(d.target->totals).dns_failures, 1);
	/* Too many lookups are ours. */
	answer_err = -EBUSY;
	assert_int_equal(dial(&d, 1000), -EBUSY);
	assert_int_equal(target_sum(d.target).local_errors, 1);
	assert_int_equal(atomic_load(&d.target->health.failures), 1);
	close_dialling(&d);
}

static void test_waiting_for_a_name(void **state)
{
	struct dialling d;
	uint16_t port;
	int l = rig_listen(&port, 8);

	open_dialling(&d, "name.test", 1);
	answer_err = -EAGAIN;
	assert_non_null(start(&d, 1000, false));
	rig_spin(&d.r.loop, 10);
	names_ready(&d.r.env.dials);
	rig_spin(&d.r.loop, 10);
	assert_int_equal(d.done, 0);
	answer_with(1, &port);
	names_ready(&d.r.env.dials);
	assert_true(rig_until(&d.r.loop, 500, is_done, &d));
	assert_true(d.result >= 0);
	close(d.result);

	/* No answer within the target's time. */
	answer_err = -EAGAIN;
	assert_int_equal(dial(&d, 50), -ETIMEDOUT);
	assert_true(LIST_EMPTY(&waiters));
	/* Given up while waiting: nothing was attempted. */
	assert_non_null(start(&d, 1000, false));
	dial_abandon(d.up);
	assert_true(LIST_EMPTY(&waiters));
	assert_int_equal(target_sum(d.target).abandoned, 0);
	close(l);
	close_dialling(&d);
}

/* Several wait, and the first to hear ends the others. */
static struct dial *victims[3];

static void end_others(struct dial *up, int result)
{
	for (int i = 0; i < 3; i++)
		if (victims[i] && victims[i] != up) {
			dial_abandon(victims[i]);
			victims[i] = NULL;
		}
	on_done(up, result);
}

static void test_names_ready_ends_others(void **state)
{
	struct dialling d;

	open_dialling(&d, "name.test", 1);
	answer_err = -EAGAIN;
	for (int i = 0; i < 3; i++) {
		struct dial_want want = {.target = d.target,
					 .timeout_ms = 1000,
					 .done = end_others,
					 .arg = &d};

		victims[i] = dial_start(&d.r.env.dials, &want, &d.result);
		assert_non_null(victims[i]);
	}
	answer_err = -ENOENT;
	names_ready(&d.r.env.dials);
	assert_true(rig_until(&d.r.loop, 500, is_done, &d));
	assert_int_equal(d.done, 1);
	assert_true(LIST_EMPTY(&waiters));
	assert_true(LIST_EMPTY(&d.r.env.dials.all));
	close_dialling(&d);
}

/* A crowd waits for one name: the others of this thread get their turn between. */
#define CROWD 300

struct turn {
	struct work work;
	struct dialling *d;
	uint64_t attempted;
};

static void on_turn(struct work *work)
{
	struct turn *t = container_of(work, struct turn, work);

	t->attempted = target_sum(t->d->target).attempted;
}

static void close_result(struct dial *up, int result)
{
	assert_true(result >= 0);
	close(result);
	((struct dialling *)dial_arg(up))->done++;
}

static bool all_done(void *arg)
{
	return ((struct dialling *)arg)->done == CROWD;
}

static void test_names_ready_in_shares(void **state)
{
	struct dialling d;
	struct turn turn = {.work.run = on_turn, .d = &d};
	uint16_t port;
	int l = rig_listen(&port, CROWD);

	open_dialling(&d, "name.test", 1);
	answer_err = -EAGAIN;
	for (int i = 0; i < CROWD; i++) {
		struct dial_want want = {.target = d.target,
					 .timeout_ms = 3000,
					 .done = close_result,
					 .arg = &d};

		assert_non_null(dial_start(&d.r.env.dials, &want, &d.result));
	}
	answer_with(1, &port);
	names_ready(&d.r.env.dials);
	loop_work(&d.r.loop, &turn.work);
	assert_true(rig_until(&d.r.loop, 3000, all_done, &d));
	assert_in_range(turn.attempted, 1, CROWD / 2);
	close(l);
	close_dialling(&d);
}

/* Nobody waits any more, and still it is evidence. */
static void test_detach(void **state)
{
	struct dialling d;
	struct rig_hole hole;

	rig_hole_open(&hole);
	open_dialling(&d, "127.0.0.1", hole.port);
	assert_non_null(start(&d, 60, false));
	dial_detach(d.up);
	assert_int_equal(d.target->cells->detached, 1);
	rig_spin(&d.r.loop, 150);
	assert_int_equal(d.done, 0);
	assert_int_equal(target_sum(d.target).timed_out, 1);
	assert_int_equal(atomic_load(&d.target->health.failures), 1);
	assert_int_equal(d.target->cells->detached, 0);
	rig_hole_close(&hole);
	close_dialling(&d);
}

/* A loser that connects after all is a success, and is closed. */
static void test_detached_connects(void **state)
{
	struct dialling d;
	uint16_t port;
	int l = rig_listen(&port, 8), fd;
	char c;

	open_dialling(&d, "127.0.0.1", port);
	assert_non_null(start(&d, 1000, false));
	dial_detach(d.up);
	rig_spin(&d.r.loop, 10);
	assert_int_equal(target_sum(d.target).ok, 1);
	assert_int_equal(d.target->cells->detached, 0);
	fd = accept(l, NULL, NULL);
	assert_int_equal(read(fd, &c, 1), 0);
	close(fd);
	close(l);
	close_dialling(&d);
}

static void test_detach_limit(void **state)
{
	struct dialling d;
	struct rig_hole hole;

	rig_hole_open(&hole);
	open_dialling(&d, "127.0.0.1", hole.port);
	for (int i = 0; i < DIAL_DETACHED_MAX + 3; i++) {
		assert_non_null(start(&d, 80, false));
		dial_detach(d.up);
	}
	assert_int_equal(d.target->cells->detached, DIAL_DETACHED_MAX);
	assert_int_equal(target_sum(d.target).abandoned, 3);
	rig_spin(&d.r.loop, 200);
	assert_int_equal(target_sum(d.target).timed_out, DIAL_DETACHED_MAX);
	assert_int_equal(d.target->cells->detached, 0);
	assert_int_equal(atomic_load(&d.target->health.failures), DIAL_DETACHED_MAX);
	rig_hole_close(&hole);
	close_dialling(&d);
}

static void test_abandon(void **state)
{
	struct dialling d;
	struct rig_hole hole;

	rig_hole_open(&hole);
	open_dialling(&d, "127.0.0.1", hole.port);
	assert_non_null(start(&d, 50, false));
	dial_abandon(d.up);
	rig_spin(&d.r.loop, 100);
	assert_int_equal(d.done, 0);
	assert_int_equal(target_sum(d.target).abandoned, 1);
	assert_int_equal(atomic_load(&d.target->health.failures), 0);
	rig_hole_close(&hole);
	close_dialling(&d);
}

/* A probe is heard by health, and is no attempt. One under way at the end is told of it. */
static void test_probe(void **state)
{
	struct dialling d;
	struct rig_hole hole;

	rig_hole_open(&hole);
	open_dialling(&d, "127.0.0.1", hole.port);
	assert_non_null(start(&d, 50, true));
	assert_true(rig_until(&d.r.loop, 500, is_done, &d));
	assert_int_equal(d.result, -ETIMEDOUT);
	assert_int_equal(atomic_load(&d.target->health.failures), 1);
	assert_int_equal(target_sum(d.target).attempted, 0);

	assert_non_null(start(&d, 500, true));
	dial_abandon_all(&d.r.env.dials);
	assert_int_equal(d.done, 1);
	assert_int_equal(d.result, -ECANCELED);
	assert_int_equal(atomic_load(&d.target->health.failures), 1);
	rig_hole_close(&hole);
	close_dialling(&d);
}

/* What is wrong with this host is no fault of the target. */
static void test_ours(void **state)
{
	static const int ours[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL, EACCES,
				   EPERM,  EAGAIN, EBUSY,  ENOSPC,  EADDRINUSE};
	static const int theirs[] = {ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH,
				     ECONNRESET};
	struct dialling d;
	struct rlimit few = {.rlim_cur = 256}, before;
	int fds[256], n = 0;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		assert_true(dial_is_ours(ours[i]));
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
		assert_false(dial_is_ours(theirs[i]));

	open_dialling(&d, "127.0.0.1", 9);
	getrlimit(RLIMIT_NOFILE, &before);
	few.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	while (n < 256 && (fds[n] = dup(0)) >= 0)
		n++;
	assert_int_equal(dial(&d, 100), -EMFILE);
	assert_int_equal(target_sum(d.target).local_errors, 1);
	assert_int_equal(atomic_load(&d.target->health.failures), 0);
	while (n)
		close(fds[--n]);
	setrlimit(RLIMIT_NOFILE, &before);
	close_dialling(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_late_look_at_an_answer),
		cmocka_unit_test(test_late_look_at_a_name),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_reset_after_accept),
		cmocka_unit_test(test_stagger),
		cmocka_unit_test(test_addresses_in_turn),
		cmocka_unit_test(test_name_fails),
		cmocka_unit_test(test_waiting_for_a_name),
		cmocka_unit_test(test_names_ready_ends_others),
		cmocka_unit_test(test_names_ready_in_shares),
		cmocka_unit_test(test_detach),
		cmocka_unit_test(test_detached_connects),
		cmocka_unit_test(test_detach_limit),
		cmocka_unit_test(test_abandon),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
