// SPDX-License-Identifier: MIT
/* One rule's figures from its parts: with and without health, former targets, sums that add up. */
#include "edge/watch/report.h"
#include "selftests/unit/rig.h"

static void on_change(void *arg, struct target *t, enum health_state to)
{
}

static const struct target_watch watch = {.changed = on_change};

struct sheet {
	struct account *account;
	struct rule_state *rs;
	struct rule_report out;
};

static void open_sheet(struct sheet *s, unsigned n)
{
	struct rule *r = rig_rule(7, 80, n, (uint16_t[]){11, 12, 13});

	memset(s, 0, sizeof(*s));
	log_init("test", "off");
	r->targets[0].priority = 3;
	s->account = account_open(&(struct account_config){.disable = true});
	s->rs = calloc(1, sizeof(*s->rs));
	s->rs->id = 7;
	s->rs->status = RULE_ACTIVE;
	s->rs->service = service_new(r, NULL, s->account, &watch);
	service_in_force(s->rs->service, NULL);
	rule_free(r);
}

static void close_sheet(struct sheet *s)
{
	service_unref(s->rs->service);
	free(s->rs);
	account_close(s->account);
}

static void test_sums(void **state)
{
	struct sheet s;
	struct target *a, *b;
	struct rule_totals *totals;
	struct target *gone;

	open_sheet(&s, 3);
	a = s.rs->service->target[0];
	b = s.rs->service->target[1];
	totals = s.rs->service->totals;
	target_cell(a, 0)->written_in = 100;
	target_cell(a, 0)->written_out = 1000;
	target_cell(b, 0)->written_in = 20;
	target_cell(b, 0)->written_out = 200;
	s.rs->gone_in = 5;
	s.rs->gone_out = 50;
	gone = s.rs->service->target[2];
	target_cell(gone, 0)->written_in = 1;
	LIST_INSERT_HEAD(&s.rs->retired, gone, retired); /* counted as a former one too */
	totals_cell(totals, 0)->accepted = 9;
	totals_cell(totals, 0)->active = 2;
	totals_cell(totals, 0)->hedged = 1;
	totals_cell(totals, 0)->dns_failures = 4;
	totals_cell(totals, 0)->ended[END_IDLE] = 3;
	atomic_store(&a->drained, true);
	report_rule(s.account, s.rs, &s.out);
	assert_int_equal(s.out.rule_id, 7);
	assert_int_equal(s.out.n, 3);
	assert_true(s.out.monitored);
	assert_int_equal(s.out.target[0].bytes_in, 100);
	assert_int_equal(s.out.target[0].priority, 3);
	assert_int_equal(s.out.target[1].port, 12);
	assert_string_equal(s.out.target[1].host, "127.0.0.1");
	assert_true(s.out.target[0].drained);
	assert_int_equal(s.out.bytes_in, 100 + 20 + 1 + 1 + 5);
	assert_int_equal(s.out.bytes_out, 1000 + 200 + 50);
	assert_int_equal(s.out.accepted, 9);
	assert_int_equal(s.out.active, 2);
	assert_int_equal(s.out.hedged, 1);
	assert_int_equal(s.out.dns_failures, 4);
	assert_int_equal(s.out.ended[END_IDLE], 3);
	close_sheet(&s);
}

static void test_attempts_add_up(void **state)
{
	struct sheet s;
	struct target *t;
	const struct target_report *r = &s.out.target[0];

	open_sheet(&s, 2);
	t = s.rs->service->target[0];
	target_cell(t, 0)->attempted = 21;
	target_cell(t, 0)->ok = 1;
	target_cell(t, 0)->failed = 2;
	target_cell(t, 0)->timed_out = 3;
	target_cell(t, 0)->abandoned = 4;
	target_cell(t, 0)->local_errors = 5;
	report_rule(s.account, s.rs, &s.out);
	assert_int_equal(r->pending, 6);
	assert_int_equal(r->attempted, 21);
	/* Read while a worker counts: never less than its parts. */
	target_cell(t, 0)->attempted = 14;
	report_rule(s.account, s.rs, &s.out);
	assert_int_equal(r->pending, 0);
	assert_int_equal(r->attempted, 15);
	close_sheet(&s);
}

static void test_health(void **state)
{
	struct sheet s;

	open_sheet(&s, 2);
	for (int i = 0; i < HEALTH_FAILURES; i++)
		target_report(s.rs->service->target[1], ECONNREFUSED);
	report_rule(s.account, s.rs, &s.out);
	assert_int_equal(s.out.failovers, 1);
	assert_int_equal(s.out.target[0].health.state, HEALTH_HEALTHY);
	assert_int_equal(s.out.target[1].health.state, HEALTH_FAILED);
	assert_int_equal(s.out.target[1].health.consecutive_failures, HEALTH_FAILURES);
	assert_int_equal(s.out.target[1].health.last_error, ECONNREFUSED);
	close_sheet(&s);

	/* A single target has none. */
	open_sheet(&s, 1);
	target_report(s.rs->service->target[0], ECONNREFUSED);
	report_rule(s.account, s.rs, &s.out);
	assert_false(s.out.monitored);
	assert_int_equal(s.out.target[0].health.since_unix_ms, 0);
	assert_int_equal(s.out.target[0].health.consecutive_failures, 0);
	close_sheet(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_attempts_add_up),
		cmocka_unit_test(test_health),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
