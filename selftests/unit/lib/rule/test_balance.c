// SPDX-License-Identifier: MIT
/* How connections are shared, as keys of a rule: what is refused, and that nothing is lost on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rule/escape.h"
#include "lib/rule/proto.h"

#define HEAD "{\"listen_port\":80,\"targets\":[{\"host\":\"a\",\"port\":1,\"priority\":0"
#define TAIL "},{\"host\":\"b\",\"port\":1,\"priority\":0}]"

static struct rule *parse(const char *of_target, const char *of_rule, struct rule_error *err)
{
	char text[4096];
	struct rule *r;
	json_t *o;

	snprintf(text, sizeof(text), HEAD "%s" TAIL "%s}", of_target, of_rule);
	o = json_loads(text, 0, NULL);
	if (!o)
		fail_msg("bad JSON: %s", text);
	r = rule_parse(o, err);
	json_decref(o);
	return r;
}

static struct rule *good(const char *of_target, const char *of_rule)
{
	struct rule_error err;
	struct rule *r = parse(of_target, of_rule, &err);

	if (!r)
		fail_msg("%s: %s: %s", err.code, err.message, of_rule);
	return r;
}

static const struct {
	const char *of_target, *of_rule, *code, *field;
	int status;
} refusals[] = {
	{"", ",\"balance\":\"random\"", "option_out_of_range", "balance", 400},
	{"", ",\"balance\":\"Order\"", "option_out_of_range", "balance", 400},
	{"", ",\"balance\":1", "invalid_body", "balance", 422},
	{",\"weight\":0", "", "option_out_of_range", "targets[0].weight", 400},
	{",\"weight\":257", "", "option_out_of_range", "targets[0].weight", 400},
	{",\"weight\":\"2\"", "", "invalid_body", "targets[0].weight", 422},
	{"", ",\"on_failure\":\"end\"", "option_out_of_range", "on_failure", 400},
	{"", ",\"failback\":true", "invalid_body", "failback", 422},
	{"", ",\"failback\":\"never\"", "option_out_of_range", "failback", 400},
	{"", ",\"eject\":{\"resets\":1,\"window_secs\":1}", "invalid_body", "eject.for_secs", 422},
	{"", ",\"eject\":{\"resets\":0,\"window_secs\":1,\"for_secs\":1}", "option_out_of_range",
	 "eject.resets", 400},
	{"", ",\"eject\":{\"resets\":1001,\"window_secs\":1,\"for_secs\":1}", "option_out_of_range",
	 "eject.resets", 400},
	{"", ",\"eject\":{\"resets\":1,\"window_secs\":3601,\"for_secs\":1}", "option_out_of_range",
	 "eject.window_secs", 400},
	{"", ",\"eject\":{\"resets\":1,\"window_secs\":1,\"for_secs\":86401}",
	 "option_out_of_range", "eject.for_secs", 400},
	{"", ",\"protocol\":\"udp\",\"eject\":{\"resets\":1,\"window_secs\":1,\"for_secs\":1}",
	 "option_conflict", "eject", 400},
	{"", ",\"health_check\":{\"send\":\"\"}", "option_out_of_range", "health_check.send", 400},
	{"", ",\"health_check\":{\"send\":\"a\\\\q\"}", "option_out_of_range", "health_check.send",
	 400},
	{"", ",\"health_check\":{\"expect\":\"\\\\x4\"}", "option_out_of_range",
	 "health_check.expect", 400},
	{"", ",\"health_check\":{\"port\":0}", "option_out_of_range", "health_check.port", 400},
	{"", ",\"health_check\":{\"tls\":1}", "invalid_body", "health_check.tls", 422},
	{"", ",\"health_check\":[]", "invalid_body", "health_check", 422},
	{"", ",\"protocol\":\"udp\",\"health_check\":{\"tls\":true}", "option_conflict",
	 "health_check.tls", 400},
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct rule_error err = {.code = ""};
		struct rule *r = parse(refusals[i].of_target, refusals[i].of_rule, &err);

		if (r || strcmp(err.code, refusals[i].code) || err.status != refusals[i].status ||
		    strncmp(err.message, refusals[i].field, strlen(refusals[i].field)))
			fail_msg("%s%s: %d %s: %s", refusals[i].of_target, refusals[i].of_rule,
				 err.status, err.code, err.message);
	}
}

static struct rule *over_the_wire(const struct rule *r, bool options)
{
	struct rule_proto out;
	struct rule_error err;
	Portunus__V1__Rule *m;
	uint8_t buf[4096];
	struct rule *got;

	rule_to_proto(r, options, &out);
	assert_true(portunus__v1__rule__get_packed_size(&out.msg) <= sizeof(buf));
	m = portunus__v1__rule__unpack(NULL, portunus__v1__rule__pack(&out.msg, buf), buf);
	assert_non_null(m);
	got = rule_from_proto(m, &err);
	portunus__v1__rule__free_unpacked(m, NULL);
	return got;
}

static const char *const whole[][2] = {
	{",\"weight\":3", ",\"balance\":\"round_robin\""},
	{"", ",\"balance\":\"least_connections\""},
	{"", ",\"balance\":\"source_hash\""},
	{"", ",\"on_failure\":\"end_sessions\""},
	{"", ",\"failback\":\"manual\""},
	{"", ",\"eject\":{\"resets\":5,\"window_secs\":10,\"for_secs\":30}"},
	{"", ",\"health_check\":{\"send\":\"PING\\\\r\\\\n\",\"expect\":\"+PONG\"}"},
	{"", ",\"health_check\":{\"tls\":true,\"port\":8443}"},
	{"", ",\"health_check\":{\"port\":8080}"},
};

/* Through JSON and the control channel: nothing is lost, and each key makes another rule. */
static void test_round_trips(void **state)
{
	struct rule *plain = good("", "");

	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		struct rule *r = good(whole[i][0], whole[i][1]), *copy = rule_dup(r), *again;
		json_t *o = rule_to_json(r);
		struct rule_error err;

		assert_true(rule_equal(r, copy));
		assert_false(rule_equal(r, plain));
		rule_free(copy);
		again = rule_parse(o, &err);
		assert_non_null(again);
		assert_true(rule_equal(r, again));
		rule_free(again);
		json_decref(o);
		r->id = 7;
		again = over_the_wire(r, true);
		assert_true(rule_equal(r, again));
		rule_free(again);
		/* Who does not know the fields does not get them. */
		again = over_the_wire(r, false);
		plain->id = 7;
		assert_true(rule_equal(plain, again));
		plain->id = 0;
		rule_free(again);
		rule_free(r);
	}
	rule_free(plain);
}

static void test_defaults_are_silent(void **state)
{
	struct rule *r = good(",\"weight\":1", ",\"balance\":\"order\",\"on_failure\":\"keep\","
					       "\"failback\":\"auto\",\"health_check\":{}");
	struct rule *plain = good("", "");
	json_t *o = rule_to_json(r);

	assert_true(rule_equal(r, plain));
	assert_null(json_object_get(o, "balance"));
	assert_null(json_object_get(o, "on_failure"));
	assert_null(json_object_get(o, "failback"));
	assert_null(json_object_get(o, "health_check"));
	assert_null(json_object_get(json_array_get(json_object_get(o, "targets"), 0), "weight"));
	json_decref(o);
	rule_free(r);
	rule_free(plain);
}

/* A number from a later server is no silent default. */
static void test_unknown_numbers(void **state)
{
	struct rule *r = good("", "");
	struct rule_error err;
	struct rule_proto out;

	rule_to_proto(r, true, &out);
	out.msg.balance = (Portunus__V1__Balance)9;
	assert_null(rule_from_proto(&out.msg, &err));
	assert_string_equal(err.code, "option_out_of_range");
	rule_to_proto(r, true, &out);
	out.msg.on_failure = (Portunus__V1__OnFailure)2;
	assert_null(rule_from_proto(&out.msg, &err));
	rule_to_proto(r, true, &out);
	out.msg.failback = (Portunus__V1__Failback)-1;
	assert_null(rule_from_proto(&out.msg, &err));
	rule_free(r);
}

static void found(void *arg, const char *path, const char *nearest)
{
	char *text = arg;

	sprintf(text + strlen(text), "%s=%s ", path, nearest ? nearest : "");
}

static void test_unknown_keys(void **state)
{
	char paths[400] = "";
	json_t *o = json_loads(HEAD ",\"wieght\":2" TAIL ",\"eject\":{\"resets\":1,\"window\":2},"
				    "\"health_check\":{\"sends\":\"x\"},\"ballance\":\"order\","
				    "\"rate_limit\":{\"zzz\":1},\"alow\":[],\"hedge_delay\":1,"
				    "\"comment\":1,\"rate_limits\":{}}",
			       0, NULL);

	assert_non_null(o);
	rule_unknown_keys(o, false, found, paths);
	assert_non_null(strstr(paths, "targets[0].wieght=weight "));
	assert_non_null(strstr(paths, "eject.window=window_secs "));
	assert_non_null(strstr(paths, "health_check.sends=send "));
	assert_non_null(strstr(paths, "ballance=balance "));
	assert_non_null(strstr(paths, "rate_limit.zzz= "));
	assert_non_null(strstr(paths, "alow=allow "));
	assert_non_null(strstr(paths, "hedge_delay=hedge_delay_ms "));
	assert_non_null(strstr(paths, "comment= "));
	assert_non_null(strstr(paths, "rate_limits=rate_limit "));
	assert_null(strstr(paths, "health_check= "));
	json_decref(o);
}

static void test_escapes(void **state)
{
	static const uint8_t all[] = {'a', '\r', '\n', '\t', 0, '\\', 0xff, 0x0a, 0xc3, 0xa4, '"'};
	uint8_t out[16];

	assert_int_equal(rule_unescape("a\\r\\n\\t\\0\\\\\\xfF\\x0Aä\"", out, sizeof(out)),
			 sizeof(all));
	assert_memory_equal(out, all, sizeof(all));
	assert_int_equal(rule_unescape("", out, 0), 0);
	assert_int_equal(rule_unescape("\\", out, sizeof(out)), -EINVAL);
	assert_int_equal(rule_unescape("\\x", out, sizeof(out)), -EINVAL);
	assert_int_equal(rule_unescape("\\x1", out, sizeof(out)), -EINVAL);
	assert_int_equal(rule_unescape("\\xg0", out, sizeof(out)), -EINVAL);
	assert_int_equal(rule_unescape("\\R", out, sizeof(out)), -EINVAL);
	assert_int_equal(rule_unescape("abc", out, 3), 3);
	assert_int_equal(rule_unescape("abcd", out, 3), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_defaults_are_silent),
		cmocka_unit_test(test_unknown_numbers),
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
