// SPDX-License-Identifier: MIT
/* What the API writes of rules and their figures, whatever their texts are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/call/encode.h"

struct fixture {
	struct fleet_client client;
	struct fleet_rule r;
	json_t *o;
};

static struct fixture fixture_of(const char *json, unsigned targets)
{
	struct fixture f = {.client = {.id = "01J9ZK8M3Q6S7T8V9W0X1Y2Z3A", .name = "edge-01"}};
	struct rule_error err;
	json_t *spec = json_loads(json, 0, NULL);

	f.r.rule = rule_parse(spec, &err);
	assert_non_null(f.r.rule);
	f.r.rule->id = 3;
	f.r.rule->owner = strdup("ops");
	f.r.state = FLEET_ACTIVE;
	f.r.created_ms = f.r.changed_ms = 1778236931120;
	if (targets) {
		f.r.figures = calloc(1, sizeof(*f.r.figures) + sizeof(struct target_figures));
		f.r.figures->bytes_in = 5000000000;
		f.r.figures->failovers = 4;
		f.r.figures->n_targets = 1;
		f.r.figures->targets[0] = (struct target_figures){.index = 1,
								  .failed = true,
								  .consecutive_failures = 3};
	}
	json_decref(spec);
	return f;
}

static void release(struct fixture *f)
{
	json_decref(f->o);
	rule_free(f->r.rule);
	free(f->r.figures);
}

#define MULTI                                                                                  \
	"{\"client\":\"edge-01\",\"listen_port\":80,\"targets\":[{\"host\":\"a\",\"port\":1}," \
	"{\"host\":\"b\",\"port\":2,\"priority\":4294967295}]}"
#define SINGLE "{\"client\":\"edge-01\",\"listen_port\":80,\"target_host\":\"a\",\"target_port\":1}"

static void times_are_rfc_3339(void **state)
{
	json_t *t = encode_time(1778236931007);

	assert_string_equal(json_string_value(t), "2026-05-08T10:42:11.007Z");
	json_decref(t);
	t = encode_time(0);
	assert_true(json_is_null(t));
	json_decref(t);
}

static void health_belongs_to_the_row_it_was_reported_for(void **state)
{
	struct fixture f = fixture_of(MULTI, 1);
	json_t *rows;

	f.r.client = &f.client;
	f.o = encode_rule(&f.r);
	rows = json_object_get(f.o, "targets");
	assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "health")));
	assert_true(json_is_false(
		json_object_get(json_object_get(json_array_get(rows, 1), "health"), "healthy")));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 1), "priority")),
			 4294967295);
	assert_null(json_object_get(f.o, "hedge_delay_ms"));
	release(&f);
}

static void stats_are_zeros_before_the_first_report(void **state)
{
	struct fixture f = fixture_of(MULTI, 0);

	f.r.client = &f.client;
	f.o = encode_stats(&f.r, STATS_PROTOCOL | STATS_PER_TARGET);
	assert_int_equal(json_integer_value(json_object_get(f.o, "bytes_in")), 0);
	assert_true(json_is_true(json_object_get(f.o, "stale")));
	assert_int_equal(json_array_size(json_object_get(f.o, "per_target")), 2);
	assert_true(json_is_null(json_object_get(f.o, "kernel")));
	release(&f);
}

static void a_single_target_has_no_failover_state(void **state)
{
	struct fixture f = fixture_of(SINGLE, 1);

	f.r.client = &f.client;
	f.r.figures->targets[0].index = 0;
	f.o = encode_stats(&f.r, STATS_PER_TARGET);
	assert_int_equal(json_integer_value(json_object_get(f.o, "bytes_in")), 5000000000);
	assert_int_equal(json_integer_value(json_object_get(f.o, "target_failovers_total")), 0);
	assert_int_equal(json_array_size(json_object_get(f.o, "per_target")), 0);
	assert_null(json_object_get(f.o, "protocol"));
	json_decref(f.o);
	f.o = encode_rule(&f.r);
	assert_true(json_is_null(
		json_object_get(json_array_get(json_object_get(f.o, "targets"), 0), "health")));
	release(&f);
}

/* An edge's reason that was cut in the middle of a character, a name from an old store. */
static void texts_that_are_not_utf_8_are_shown_all_the_same(void **state)
{
	struct fixture f = fixture_of(SINGLE, 0);
	json_t *o;
	char *text;

	f.client.name = "edge\xe8\x8a";
	f.r.client = &f.client;
	f.r.state = FLEET_FAILED;
	memset(f.r.reason, 'x', sizeof(f.r.reason) - 1);
	f.r.reason[sizeof(f.r.reason) - 2] = (char)0xe8;
	f.r.rule->owner[0] = (char)0xff;
	f.o = encode_rule_row(&f.r, true);
	assert_non_null(f.o);
	assert_string_equal(json_string_value(json_object_get(f.o, "client_name")), "edge??");
	assert_string_equal(json_string_value(json_object_get(f.o, "owner_user_id")), "?ps");
	text = json_dumps(f.o, 0);
	assert_non_null(text);
	free(text);
	o = encode_pushed(&f.r);
	assert_non_null(o);
	json_decref(o);
	o = encode_stats(&f.r, STATS_PER_TARGET);
	assert_non_null(o);
	json_decref(o);
	o = encode_client(&f.client);
	assert_non_null(o);
	json_decref(o);
	release(&f);
}

static void numbers_and_times_beyond_everything_are_shown_as_the_largest(void **state)
{
	struct fixture f = fixture_of(MULTI, 1);
	json_t *t;

	f.r.client = &f.client;
	f.r.figures->bytes_in = UINT64_MAX;
	f.o = encode_stats(&f.r, 0);
	assert_int_equal(json_integer_value(json_object_get(f.o, "bytes_in")), INT64_MAX);
	t = encode_time(UINT64_MAX);
	assert_non_null(t);
	json_decref(t);
	release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_rfc_3339),
		cmocka_unit_test(health_belongs_to_the_row_it_was_reported_for),
		cmocka_unit_test(stats_are_zeros_before_the_first_report),
		cmocka_unit_test(a_single_target_has_no_failover_state),
		cmocka_unit_test(numbers_and_times_beyond_everything_are_shown_as_the_largest),
		cmocka_unit_test(texts_that_are_not_utf_8_are_shown_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
