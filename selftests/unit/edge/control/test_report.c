// SPDX-License-Identifier: MIT
/* Figures of rules as messages: what goes where, and that no message grows beyond what peers take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "edge/control/report.h"

static struct report_head head = {.request_id = 7, .epoch = 99, .mode_reason = "no BPF"};

static void fill(struct rule_report *r, unsigned n)
{
	memset(r, 0, sizeof(*r));
	r->rule_id = 3;
	r->n = (uint8_t)n;
	r->bytes_in = 1000;
	r->bytes_out = 2000;
	r->active = 4;
	r->failovers = 5;
	r->hedged = 6;
	r->dns_failures = 7;
	for (unsigned i = 0; i < n; i++) {
		struct target_report *t = &r->target[i];

		t->host = "a.example";
		t->port = (uint16_t)(80 + i);
		t->priority = 10 * i;
		t->bytes_in = 100 + i;
		t->carried = 20 + i;
		t->ok = 8;
		t->failed = 1;
		t->timed_out = 2;
		t->abandoned = 3;
		t->pending = 4;
		t->local_errors = 50;
		t->active = 9;
		t->kernel.active = 11;
		t->kernel.connect_hist[5] = 1;
	}
	if (n)
		r->target[n - 1].health.state = HEALTH_FAILED;
}

static void test_targets(void **state)
{
	struct report_message *m = report_message_new();
	const Portunus__V1__StatsReport *out;
	const Portunus__V1__RuleStats *s;
	struct rule_report r;

	fill(&r, 2);
	assert_true(report_message_add(m, &r, NULL));
	head.mode = ACCOUNT_BPF;
	out = report_message_get(m, &head);
	assert_int_equal(out->request_id, 7);
	assert_int_equal(out->counter_epoch, 99);
	assert_int_equal(out->accounting, PORTUNUS__V1__ACCOUNTING_MODE__ACCOUNTING_MODE_BPF);
	s = out->stats[0];
	assert_int_equal(s->rule_id, 3);
	assert_int_equal(s->bytes_in, 1000);
	assert_int_equal(s->target_failovers_total, 5);
	assert_int_equal(s->hedge_wins, 6);
	assert_int_equal(s->n_per_target, 2);
	assert_int_equal(s->per_target[1]->index, 1);
	assert_int_equal(s->per_target[1]->health, 1);
	assert_int_equal(s->per_target[0]->health, 0);
	assert_int_equal(s->per_target[1]->connections_accepted, 21);
	assert_int_equal(s->per_target[0]->kernel->attempted, 8 + 1 + 2 + 3 + 4);
	assert_int_equal(s->per_target[0]->kernel->active, 11);
	assert_int_equal(s->per_target[0]->kernel->n_connect_us_log2, 6);
	assert_int_equal(s->kernel->attempted, 2 * (8 + 1 + 2 + 3 + 4));
	assert_null(s->unassigned);
	report_message_free(m);
}

static void test_single_target_in_user_mode(void **state)
{
	struct report_message *m = report_message_new();
	struct account_record unassigned = {.bytes_in = 12};
	const Portunus__V1__StatsReport *out;
	struct rule_report r;

	fill(&r, 1);
	r.basis = ACCOUNT_USER;
	assert_true(report_message_add(m, &r, &unassigned));
	head.mode = ACCOUNT_USER;
	out = report_message_get(m, &head);
	assert_string_equal(out->accounting_reason, "no BPF");
	assert_int_equal(out->stats[0]->n_per_target, 0);
	assert_int_equal(out->stats[0]->kernel->active, 4);
	assert_int_equal(out->stats[0]->kernel->bytes_out, 2000);
	assert_int_equal(out->stats[0]->kernel->basis,
			 PORTUNUS__V1__ACCOUNTING_MODE__ACCOUNTING_MODE_USER);
	assert_int_equal(out->stats[0]->unassigned->bytes_in, 12);
	report_message_free(m);
}

static void test_the_largest_message(void **state)
{
	struct report_message *m = report_message_new();
	struct account_record unassigned;
	struct rule_report r;
	char host[254];
	size_t size;
	int n = 0;

	memset(&r, 0xff, sizeof(r));
	memset(&unassigned, 0xff, sizeof(unassigned));
	memset(host, 'a', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	/* Whatever has all bits set is the largest number, but no bool. */
	r.steered = r.monitored = r.unconfirmed = r.limited = r.routed = true;
	r.n = RULE_TARGETS_MAX;
	for (unsigned i = 0; i < r.n; i++) {
		r.target[i].host = host;
		r.target[i].drained = r.target[i].takes_new = true;
		r.target[i].health.state = HEALTH_FAILED;
	}
	while (report_message_add(m, &r, &unassigned))
		n++;
	assert_int_equal(n, REPORT_RULES);
	assert_int_equal(report_message_rules(m), REPORT_RULES);
	size = portunus__v1__stats_report__get_packed_size(report_message_get(m, &head));
	assert_true(size < 1 << 20);
	report_message_clear(m);
	assert_int_equal(report_message_get(m, &head)->n_stats, 0);
	report_message_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_single_target_in_user_mode),
		cmocka_unit_test(test_the_largest_message),
	};

	return cmocka_run_group_tests_name("control_report", tests, NULL, NULL);
}
