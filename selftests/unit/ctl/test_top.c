// SPDX-License-Identifier: MIT
/* The verb top: what the terminal view gets of the local view's answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "ctl/top.h"
#include "view/model.h"

static json_t *load(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	assert_non_null(o);
	return o;
}

static void take(struct view_model *m, const json_t *status, const json_t *stats)
{
	json_t *hello = top_hello(status, stats), *snapshot = top_snapshot(status, stats, 5000);

	assert_true(view_take_hello(m, hello));
	assert_true(view_take_snapshot(m, snapshot));
	json_decref(hello);
	json_decref(snapshot);
}

static void test_answers(void **state)
{
	json_t *status = load("{\"version\":\"1.2.3\",\"instance\":\"x\",\"uptime_secs\":7,"
			      "\"fds\":{\"open\":3,\"limit\":9},\"rss_bytes\":11}");
	json_t *stats = load(
		"{\"rules\":[{\"rule_id\":9007199254740991,\"listen_port\":80,\"listen_port_end\":89,"
		"\"protocol\":\"tcp\",\"state\":\"failed\",\"reason\":\"port_in_use\",\"bytes_in\":5,"
		"\"bytes_out\":6,\"active_connections\":2,\"connections_accepted\":4,\"per_target\":["
		"{\"host\":\"a\",\"port\":1,\"health\":1,\"usual_connect_us\":50,"
		"\"attempts\":{\"failed\":3,\"timed_out\":2},\"kernel\":{\"last_errno\":111}},"
		"{\"host\":\"b\",\"port\":2,\"health\":0,\"usual_connect_us\":1,"
		"\"attempts\":{\"failed\":1},\"kernel\":{\"srtt_us\":70}}]},"
		"{\"rule_id\":7,\"listen_port\":443,\"protocol\":\"udp\",\"sni_pattern\":\"*.a.b\","
		"\"active_flows\":8,\"flows_moved\":1}]}");
	struct view_model m = {0};
	const struct view_rule *r;

	take(&m, status, stats);
	r = &m.rules[0];
	assert_string_equal(m.version, "1.2.3");
	assert_int_equal(m.uptime_ms, 7000);
	assert_int_equal(m.fd_limit, 9);
	assert_string_equal(r->name, "rule 9007199254740991");
	assert_string_equal(r->listen, "80-89");
	assert_true(r->failed);
	assert_int_equal(r->now.in, 5);
	assert_int_equal(r->now.conns_total, 4);
	assert_int_equal(view_errors(r), 6);
	assert_true(r->target[0].failed);
	assert_int_equal(r->target[0].srtt_us, 50);
	assert_string_equal(view_best(r)->name, "b:2");
	assert_int_equal(view_best(r)->srtt_us, 70);
	assert_string_equal(m.rules[1].name, "*.a.b");
	assert_int_equal(m.rules[1].now.flows, 8);
	assert_null(view_best(&m.rules[1]));
	view_model_clear(&m);
	json_decref(status);
	json_decref(stats);
}

/* What is no answer makes an empty view, and nothing else. */
static void test_nothing(void **state)
{
	json_t *nothing = json_object();
	struct view_model m = {0};

	take(&m, nothing, nothing);
	take(&m, NULL, NULL);
	assert_int_equal(m.n, 0);
	view_model_clear(&m);
	json_decref(nothing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
