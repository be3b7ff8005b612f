// SPDX-License-Identifier: MIT
/* The terminal view without a terminal: what a greeting and snapshots make of the model, and keys of the state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "view/model.h"
#include "view/state.h"

static json_t *hello(void)
{
	return json_pack("{s:i, s:s, s:s, s:[{s:s, s:s, s:s, s:s, s:[{s:s, s:i}, {s:s, s:i}]},"
			 "{s:s, s:s, s:s, s:s, s:i, s:[{s:s, s:i}]}]}",
			 "v", 1, "daemon_version", "9.9.9", "label", "gw", "rules", "id",
			 "18446744073709551615", "name", "web", "proto", "tcp", "listen", "80",
			 "targets", "host", "a", "port", 1, "host", "b", "port", 2, "id", "2",
			 "name", "dns", "proto", "udp", "listen", "53-54", "udp_max_flows", 100,
			 "targets", "host", "c", "port", 3);
}

/* Rows in another order than the greeting's, and one of a rule that nobody knows. */
static json_t *snapshot(uint64_t t_ms, int web_in, int dns_out)
{
	return json_pack("{s:I, s:i, s:{s:i}, s:[{s:s, s:i}, {s:s, s:i}, {s:s, s:i, s:i, s:{s:i},"
			 "s:[{s:s, s:i}, {s:s}]}]}",
			 "t_ms", (json_int_t)t_ms, "uptime_ms", 5000, "process", "fd_open", 7, "r",
			 "id", "99", "in", 1, "id", "2", "out", dns_out, "id",
			 "18446744073709551615", "in", web_in, "conns_active", 3, "err",
			 "dns_failures", 4, "targets", "health", "Failed", "last_errno", 111,
			 "health", "Healthy");
}

static void take(struct view_model *m, json_t *o, bool is_hello)
{
	assert_true(is_hello ? view_take_hello(m, o) : view_take_snapshot(m, o));
	json_decref(o);
}

static void test_model(void **state)
{
	struct view_model m = {0};
	const struct view_rule *web;

	take(&m, hello(), true);
	take(&m, snapshot(1000000, 100, 0), false);
	take(&m, snapshot(1002000, 1100, 0), false);
	web = &m.rules[0];
	assert_string_equal(web->name, "web");
	assert_int_equal(web->now.in, 1100);
	assert_int_equal((int)web->in_per_s, 500);
	assert_int_equal(web->n_history, 1);
	assert_int_equal(web->now.err[10], 4);
	assert_int_equal(view_errors(web), 4);
	assert_string_equal(view_best(web)->name, "b:2");
	assert_int_equal(m.fd_open, 7);
	/* The greeting again: the rule has kept what it had. */
	take(&m, hello(), true);
	assert_int_equal(m.rules[0].n_history, 1);
	view_set_base(&m);
	assert_int_equal(m.rules[0].base.in, 1100);
	view_model_clear(&m);
}

static void test_foreign_greetings(void **state)
{
	static const char *const texts[] = {
		"{}",  "[]", "{\"v\":2,\"rules\":[]}", "{\"v\":1}", "{\"v\":\"1\",\"rules\":[]}",
		"null"};
	struct view_model m = {0};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *o = json_loads(texts[i], JSON_DECODE_ANY, NULL);

		assert_false(view_take_hello(&m, o));
		assert_false(view_take_snapshot(&m, o));
		json_decref(o);
	}
	view_model_clear(&m);
}

static void test_order_and_filter(void **state)
{
	struct view_state s = {0};

	take(&s.model, hello(), true);
	take(&s.model, snapshot(1000000, 0, 0), false);
	take(&s.model, snapshot(1001000, 10, 9000), false);
	view_arrange(&s);
	assert_int_equal(s.n, 2);
	assert_string_equal(view_chosen(&s)->name, "web");
	/* The chosen rule stays chosen when the order changes. */
	view_do(&s, VIEW_KEY_SORT);
	view_arrange(&s);
	assert_int_equal(s.sort, SORT_NAME);
	assert_int_equal(s.row, 1);
	assert_string_equal(view_chosen(&s)->name, "web");
	view_do(&s, VIEW_KEY_REVERSE);
	view_arrange(&s);
	assert_int_equal(s.row, 0);
	view_do(&s, VIEW_KEY_FILTER);
	for (const char *c = "DNX"; *c; c++)
		view_type(&s, *c);
	view_type(&s, 127);
	view_type(&s, 1);
	assert_string_equal(s.filter, "DN");
	view_arrange(&s);
	assert_int_equal(s.n, 1);
	assert_string_equal(view_chosen(&s)->name, "dns");
	view_type(&s, 'z');
	view_arrange(&s);
	assert_null(view_chosen(&s));
	view_state_clear(&s);
}

static void test_keys(void **state)
{
	struct view_state s = {0};

	take(&s.model, hello(), true);
	view_arrange(&s);
	assert_true(view_do(&s, VIEW_KEY_PREVIOUS_TAB));
	assert_int_equal(s.tab, TAB_ERRORS);
	view_do(&s, VIEW_KEY_NEXT_TAB);
	assert_int_equal(s.tab, TAB_OVERVIEW);
	view_do(&s, VIEW_KEY_UP);
	assert_int_equal(s.row, 0);
	view_do(&s, VIEW_KEY_DOWN);
	view_do(&s, VIEW_KEY_DOWN);
	assert_int_equal(s.row, 1);
	view_do(&s, VIEW_KEY_ENTER);
	assert_int_equal(s.tab, TAB_DETAIL);
	view_do(&s, VIEW_KEY_HELP);
	assert_true(s.help);
	view_do(&s, VIEW_KEY_ESCAPE);
	assert_false(s.help);
	assert_false(view_do(&s, VIEW_KEY_QUIT));
	view_state_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_foreign_greetings),
		cmocka_unit_test(test_order_and_filter),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
