// SPDX-License-Identifier: MIT
/* The walk over a rule's targets for one client: order, hedges, who wins, what is counted. */
#include <poll.h>
#include <sys/resource.h>

#include "edge/conn/walk.h"
#include "selftests/unit/rig_conn.h"

#define MS(t)	((t)*NS_PER_MS)
#define SOON_MS 3000 /* no upper bound that means anything: the test may not have run for a while */
#define LATE_MS 4000 /* a connect time-out that decides nothing in a test */

/* Up to three targets; 'r' refuses, 'h' is a black hole, 'l' listens. */
struct walk {
	struct rig_conn r;
	char kind[4];
	uint16_t port[3];
	int fd[3];
	struct rig_hole hole[3];
	int client;
	uint64_t begun_ns;
};

static void open_walk(struct walk *w, const char *kinds, int hedge_ms, unsigned timeout_ms)
{
	unsigned n = (unsigned)strlen(kinds);
	struct rule *rule;

	memset(w, 0, sizeof(*w));
	strcpy(w->kind, kinds);
	rig_conn_open(&w->r);
	for (unsigned i = 0; i < n; i++) {
		if (kinds[i] == 'h') {
			rig_hole_open(&w->hole[i]);
			w->port[i] = w->hole[i].port;
			continue;
		}
		w->fd[i] = kinds[i] == 'r' ? rig_refusing(&w->port[i])
					   : rig_listen(&w->port[i], 16);
		fcntl(w->fd[i], F_SETFL, O_NONBLOCK);
	}
	rule = rig_rule(1, 1, n, w->port);
	if (hedge_ms >= 0) {
		rule->fields |= RULE_HAS_HEDGE_DELAY;
		rule->hedge_delay_ms = (uint32_t)hedge_ms;
	}
	rule->fields |= RULE_HAS_CONNECT_TIMEOUT;
	rule->connect_timeout_ms = timeout_ms;
	rig_conn_rule(&w->r, rule);
	w->client = -1;
}

static void close_walk(struct walk *w)
{
	if (w->client >= 0)
		close(w->client);
	rig_spin(&w->r.loop, 5);
	dial_abandon_all(&w->r.env.dials);
	for (unsigned i = 0; w->kind[i]; i++) {
		if (w->kind[i] == 'h')
			rig_hole_close(&w->hole[i]);
		else
			close(w->fd[i]);
		assert_int_equal(rig_pending(w->r.service->target[i]), 0);
	}
	rig_conn_close(&w->r);
}

static void begin(struct walk *w)
{
	w->begun_ns = clock_mono_ns();
	w->client = rig_client(&w->r);
}

static struct target *target(struct walk *w, int row)
{
	return w->r.service->target[row];
}

/* Whether the client's end has been closed by the edge. */
static bool client_ended(void *arg)
{
	struct pollfd p = {.fd = ((struct walk *)arg)->client, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static bool some_carried(void *arg)
{
	struct walk *w = arg;

	for (int i = 0; w->kind[i]; i++)
		if (target_sum(target(w, i)).carried)
			return true;
	return false;
}

/* Whether each black hole's dial has come to its own end. */
static bool holes_timed_out(void *arg)
{
	struct walk *w = arg;

	for (int i = 0; w->kind[i]; i++)
		if (w->kind[i] == 'h' && !target_sum(target(w, i)).timed_out)
			return false;
	return true;
}

/* The row that carries the connection, and within which time. */
static void expect_winner(struct walk *w, int row, unsigned min_ms, unsigned max_ms)
{
	uint64_t took;

	assert_true(rig_until(&w->r.loop, max_ms, some_carried, w));
	took = clock_mono_ns() - w->begun_ns;
	assert_true(took >= MS(min_ms));
	assert_int_equal(target_sum(target(w, row)).carried, 1);
	assert_int_equal(target_sum(target(w, row)).active, 1);
}

static void test_first(void **state)
{
	struct walk w;

	open_walk(&w, "ll", -1, LATE_MS);
	begin(&w);
	expect_winner(&w, 0, 0, SOON_MS);
	assert_int_equal(target_sum(target(&w, 1)).attempted, 0);
	assert_int_equal(totals_sum(w.r.service->totals).hedged, 0);
	assert_int_equal(totals_sum(w.r.service->totals).active, 1);
	close_walk(&w);
}

/* The loop stood still beyond the hedge and the walk's deadline; the first target had answered. */
static void test_late_look(void **state)
{
	struct walk w;

	open_walk(&w, "ll", 10, LATE_MS);
	begin(&w);
	usleep(20000);
	w.r.loop.now_ns = clock_mono_ns() + RULE_WALK_TIMEOUT_MS * NS_PER_MS;
	timer_fire_due(&w.r.loop.timers, w.r.loop.now_ns);
	expect_winner(&w, 0, 0, SOON_MS);
	assert_int_equal(target_sum(target(&w, 1)).attempted, 0);
	assert_int_equal(totals_sum(w.r.service->totals).hedged, 0);
	close_walk(&w);
}

static void test_refused_then_next(void **state)
{
	struct walk w;

	open_walk(&w, "rrl", -1, LATE_MS);
	begin(&w);
	expect_winner(&w, 2, 0, SOON_MS);
	assert_int_equal(target_sum(target(&w, 0)).failed, 1);
	assert_int_equal(target_sum(target(&w, 1)).failed, 1);
	assert_int_equal(totals_sum(w.r.service->totals).hedged, 0);
	close_walk(&w);
}

/* Not an orderly end, which would look like an empty answer. */
static void test_none_left(void **state)
{
	struct walk w;
	uint64_t at = 0;

	open_walk(&w, "rr", -1, LATE_MS);
	begin(&w);
	assert_true(rig_until(&w.r.loop, SOON_MS, client_ended, &w));
	assert_int_equal(rig_read(w.client, &at, 100), -ECONNRESET);
	assert_int_equal(rig_ended(&w.r, END_NO_TARGET), 1);
	close_walk(&w);
}

/* All of them Failed: the highest preference first, the others after it. */
static void test_all_failed(void **state)
{
	struct walk w;

	open_walk(&w, "rl", -1, LATE_MS);
	for (int i = 0; i < HEALTH_FAILURES; i++) {
		target_report(target(&w, 0), ECONNREFUSED);
		target_report(target(&w, 1), ECONNREFUSED);
	}
	begin(&w);
	expect_winner(&w, 1, 0, SOON_MS);
	assert_int_equal(target_sum(target(&w, 0)).attempted, 1);
	close_walk(&w);
}

static void test_hedge(void **state)
{
	struct walk w;

	open_walk(&w, "hl", 60, 1500);
	begin(&w);
	expect_winner(&w, 1, 59, 1400);
	assert_int_equal(totals_sum(w.r.service->totals).hedged, 1);
	/* The loser goes on, to its own result. */
	assert_int_equal(target(&w, 0)->cells->detached, 1);
	assert_int_equal(rig_pending(target(&w, 0)), 1);
	assert_true(rig_until(&w.r.loop, SOON_MS, holes_timed_out, &w));
	assert_int_equal(rig_pending(target(&w, 0)), 0);
	assert_int_equal(atomic_load(&target(&w, 0)->health.failures), 1);
	close_walk(&w);
}

/* One more for each further delay. */
static void test_two_hedges(void **state)
{
	struct walk w;

	open_walk(&w, "hhl", 60, 1500);
	begin(&w);
	expect_winner(&w, 2, 119, 1400);
	assert_int_equal(target(&w, 0)->cells->detached, 1);
	assert_int_equal(target(&w, 1)->cells->detached, 1);
	assert_true(rig_until(&w.r.loop, SOON_MS, holes_timed_out, &w));
	assert_int_equal(rig_pending(target(&w, 0)) + rig_pending(target(&w, 1)), 0);
	close_walk(&w);
}

/* A hedge is what wins beside one that is pending, whichever was the first of all. */
static void test_hedge_after_refusal(void **state)
{
	struct walk w;

	open_walk(&w, "rhl", 60, LATE_MS);
	begin(&w);
	expect_winner(&w, 2, 59, SOON_MS);
	assert_int_equal(totals_sum(w.r.service->totals).hedged, 1);
	close_walk(&w);
}

/* The default: 300 ms where lost SYNs are retried quickly, of a target that is known to be near;
 * otherwise it would be 1 s. */
static void test_hedge_default(void **state)
{
	struct walk w;

	open_walk(&w, "hl", -1, LATE_MS);
	target_learn_connect_time(target(&w, 0), NS_PER_MS);
	begin(&w);
	expect_winner(&w, 1, 299, 900);
	close_walk(&w);
}

/* Nobody knows how far the target is: it has all the time that the rule gives it (here less than the
 * hedge delay's upper bound). */
static void test_no_hasty_hedge(void **state)
{
	struct walk w;

	open_walk(&w, "hl", -1, 400);
	begin(&w);
	expect_winner(&w, 1, 399, SOON_MS);
	assert_int_equal(totals_sum(w.r.service->totals).hedged, 0);
	close_walk(&w);
}

/* Strict: the next one only after the time-out. */
static void test_strict(void **state)
{
	struct walk w;

	open_walk(&w, "hl", 0, 400);
	begin(&w);
	expect_winner(&w, 1, 399, SOON_MS);
	assert_int_equal(totals_sum(w.r.service->totals).hedged, 0);
	assert_int_equal(target_sum(target(&w, 0)).timed_out, 1);
	close_walk(&w);
}

static void test_single_black_hole(void **state)
{
	struct walk w;

	open_walk(&w, "h", -1, 400);
	begin(&w);
	assert_true(rig_until(&w.r.loop, SOON_MS, client_ended, &w));
	assert_true(clock_mono_ns() - w.begun_ns >= MS(399));
	assert_int_equal(rig_ended(&w.r, END_NO_TARGET), 1);
	close_walk(&w);
}

/* A request and a FIN before the target is connected: both arrive there. */
static void test_early_half_close(void **state)
{
	struct walk w;
	uint64_t sent = 0, at = 0;
	int fd, end = 1;

	open_walk(&w, "hl", 60, LATE_MS);
	begin(&w);
	rig_write(w.client, &sent, 1000);
	shutdown(w.client, SHUT_WR);
	expect_winner(&w, 1, 59, SOON_MS);
	fd = accept(w.fd[1], NULL, NULL);
	assert_true(fd >= 0);
	for (int i = 0; i < 1000 && end == 1; i++) {
		rig_spin(&w.r.loop, 2);
		end = rig_read(fd, &at, 2000);
	}
	assert_int_equal(end, 0);
	assert_int_equal(at, 1000);
	close(fd);
	close_walk(&w);
}

/* The client leaves while dialling: what was pending says nothing about the target. */
static void test_client_gone(void **state)
{
	struct walk w;

	open_walk(&w, "hh", 30, LATE_MS);
	begin(&w);
	rig_spin(&w.r.loop, 60);
	rig_reset(w.client);
	w.client = -1;
	rig_spin(&w.r.loop, 10);
	assert_int_equal(rig_ended(&w.r, END_CLIENT_GONE), 1);
	assert_int_equal(target_sum(target(&w, 0)).abandoned, 1);
	assert_int_equal(target_sum(target(&w, 1)).abandoned, 1);
	assert_int_equal(atomic_load(&target(&w, 0)->health.failures), 0);
	close_walk(&w);
}

/* A target that resets after the handshake: the client is reset too, by the relay. */
static void test_target_accepts_and_resets(void **state)
{
	struct walk w;
	uint64_t at = 0;

	open_walk(&w, "ll", -1, LATE_MS);
	begin(&w);
	rig_reset(accept(w.fd[0], NULL, NULL));
	assert_true(rig_until(&w.r.loop, SOON_MS, client_ended, &w));
	assert_int_equal(rig_read(w.client, &at, 100), -ECONNRESET);
	assert_int_equal(target_sum(target(&w, 0)).ok, 1);
	assert_int_equal(target_sum(target(&w, 1)).attempted, 0);
	assert_int_equal(rig_ended(&w.r, END_TARGET_RESET), 1);
	close_walk(&w);
}

/* The one that is dialled becomes Failed: who waits for it tries a Healthy one at once. */
static void test_failed_while_dialling(void **state)
{
	struct walk w;

	open_walk(&w, "hl", 3500, LATE_MS);
	begin(&w);
	rig_spin(&w.r.loop, 20);
	conn_health_changed(&w.r.env); /* of somebody else */
	rig_spin(&w.r.loop, 20);
	assert_int_equal(target_sum(target(&w, 1)).attempted, 0);
	for (int i = 0; i < HEALTH_FAILURES; i++)
		target_report(target(&w, 0), ETIMEDOUT);
	conn_health_changed(&w.r.env);
	expect_winner(&w, 1, 39, SOON_MS);
	close_walk(&w);
}

/* A strict rule waits for the failure of its own dial all the same. */
static void test_strict_stays_strict(void **state)
{
	struct walk w;

	open_walk(&w, "hl", 0, 1000);
	begin(&w);
	for (int i = 0; i < HEALTH_FAILURES; i++)
		target_report(target(&w, 0), ETIMEDOUT);
	conn_health_changed(&w.r.env);
	rig_spin(&w.r.loop, 50);
	assert_int_equal(target_sum(target(&w, 1)).attempted, 0);
	expect_winner(&w, 1, 999, SOON_MS);
	close_walk(&w);
}

/* All are Failed: news of others are no reason to dial the next one early. */
static void test_no_better_one(void **state)
{
	struct walk w;

	open_walk(&w, "hl", 1000, LATE_MS);
	for (int i = 0; i < HEALTH_FAILURES; i++) {
		target_report(target(&w, 0), ETIMEDOUT);
		target_report(target(&w, 1), ETIMEDOUT);
	}
	begin(&w);
	rig_spin(&w.r.loop, 10);
	conn_health_changed(&w.r.env);
	rig_spin(&w.r.loop, 50);
	assert_int_equal(target_sum(target(&w, 1)).attempted, 0);
	expect_winner(&w, 1, 999, SOON_MS);
	close_walk(&w);
}

/* Nothing of this host left to dial with: not the targets' fault, and the reason says so. */
static void test_no_descriptor(void **state)
{
	struct walk w;
	int fds[1024], n = 0, client[2];
	struct rlimit before, few = {.rlim_cur = 256};

	open_walk(&w, "ll", -1, LATE_MS);
	rig_tcp_pair(client);
	w.client = client[0];
	getrlimit(RLIMIT_NOFILE, &before);
	few.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	while (n < 1024 && (fds[n] = dup(0)) >= 0)
		n++;
	conn_new(&w.r.env, w.r.service, &(struct accepted){.fd = client[1]}, 0);
	rig_spin(&w.r.loop, 5);
	while (n)
		close(fds[--n]);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(target_sum(target(&w, 0)).local_errors, 1);
	assert_int_equal(target_sum(target(&w, 1)).local_errors, 1);
	assert_int_equal(atomic_load(&target(&w, 0)->health.failures), 0);
	assert_int_equal(rig_ended(&w.r, END_LOCAL), 1);
	close_walk(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_late_look),
		cmocka_unit_test(test_refused_then_next),
		cmocka_unit_test(test_none_left),
		cmocka_unit_test(test_all_failed),
		cmocka_unit_test(test_hedge),
		cmocka_unit_test(test_two_hedges),
		cmocka_unit_test(test_hedge_after_refusal),
		cmocka_unit_test(test_hedge_default),
		cmocka_unit_test(test_no_hasty_hedge),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_strict_stays_strict),
		cmocka_unit_test(test_single_black_hole),
		cmocka_unit_test(test_early_half_close),
		cmocka_unit_test(test_client_gone),
		cmocka_unit_test(test_target_accepts_and_resets),
		cmocka_unit_test(test_failed_while_dialling),
		cmocka_unit_test(test_no_better_one),
		cmocka_unit_test(test_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
