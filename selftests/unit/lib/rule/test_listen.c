// SPDX-License-Identifier: MIT
/* Where rules listen: the same address is the same however it is spelt, and what meets is known. */
#include <jansson.h>
#include <stdio.h>

#include "lib/rule/listen.h"
#include "lib/rule/rule.h"
#include "selftests/unit/rig.h"

/* A rule as anybody makes it: read and checked. @address may be NULL. */
static struct rule *at(const char *address, unsigned port)
{
	struct rule_error err = {0};
	json_t *o = json_pack("{s:i, s:i, s:s, s:i}", "id", 1, "listen_port", (int)port,
			      "target_host", "192.0.2.1", "target_port", 80);
	struct rule *r;

	if (address)
		json_object_set_new(o, "listen_address", json_string(address));
	r = rule_parse(o, &err);
	json_decref(o);
	if (!r)
		fail_msg("%s: %s", err.code, err.message);
	return r;
}

static void test_one_spelling(void **state)
{
	static const struct {
		const char *written, *kept;
	} spellings[] = {
		{"fd07:1:0::1", "fd07:1::1"}, {"[fd07:1:0:0:0:0:0:1]", "fd07:1::1"},
		{"FD07:1::1", "fd07:1::1"},   {"::ffff:192.0.2.7", "192.0.2.7"},
		{"192.0.2.7", "192.0.2.7"},
	};

	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		struct rule *a = at(spellings[i].written, 80), *b = at(spellings[i].kept, 80);

		assert_string_equal(a->listen_address, spellings[i].kept);
		assert_true(rule_equal(a, b));
		assert_true(rule_listens_alike(a, b));
		rule_free(a);
		rule_free(b);
	}
}

static void test_alike_and_overlap(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned port_b;
		bool alike, overlap;
	} pairs[] = {
		{NULL, NULL, 80, true, true},
		{NULL, NULL, 81, false, false},
		{NULL, "::", 80, true, true},
		{NULL, "0.0.0.0", 80, false, true},
		{NULL, "192.0.2.7", 80, false, true},
		{NULL, "fd07:1::1", 80, false, true},
		{"0.0.0.0", "192.0.2.7", 80, false, true},
		{"0.0.0.0", "fd07:1::1", 80, false, false},
		{"192.0.2.7", "192.0.2.8", 80, false, false},
		{"192.0.2.7", "192.0.2.7", 81, false, false},
		{"fd07:1::1", "[fd07:1:0::1]", 80, true, true},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct rule *a = at(pairs[i].a, 80), *b = at(pairs[i].b, pairs[i].port_b);

		assert_int_equal(rule_listens_alike(a, b), pairs[i].alike);
		assert_int_equal(rule_listens_alike(b, a), pairs[i].alike);
		assert_int_equal(rule_listens_overlap(a, b), pairs[i].overlap);
		assert_int_equal(rule_listens_overlap(b, a), pairs[i].overlap);
		rule_free(a);
		rule_free(b);
	}
}

/* @b begins at 80 + .at and has .n ports; @a has 80 to 89. */
static void test_ranges(void **state)
{
	static const struct {
		const char *a, *b;
		int at;
		unsigned n;
		bool alike, near, overlap;
	} pairs[] = {
		{NULL, NULL, 0, 10, true, true, true},
		{NULL, NULL, 0, 9, false, true, true},
		{NULL, NULL, 9, 1, false, true, true},
		{NULL, NULL, 10, 1, false, false, false},
		{NULL, NULL, -5, 5, false, false, false},
		{NULL, NULL, -5, 6, false, true, true},
		{NULL, NULL, -5, 30, false, true, true},
		{NULL, "192.0.2.7", 4, 2, false, false, true},
		{"192.0.2.7", "192.0.2.7", 4, 2, false, true, true},
		{"192.0.2.7", "192.0.2.8", 4, 2, false, false, false},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct rule *a = at(pairs[i].a, 80);
		struct rule *b = at(pairs[i].b, (unsigned)(80 + pairs[i].at));

		a->listen_port_end = 89;
		b->listen_port_end = (uint16_t)(b->listen_port + pairs[i].n - 1);
		assert_int_equal(rule_listens_alike(a, b), pairs[i].alike);
		assert_int_equal(rule_listens_near(a, b), pairs[i].near);
		assert_int_equal(rule_listens_near(b, a), pairs[i].near);
		assert_int_equal(rule_listens_overlap(a, b), pairs[i].overlap);
		assert_int_equal(rule_listens_overlap(b, a), pairs[i].overlap);
		if (pairs[i].overlap)
			assert_int_equal(rule_listens_common(a, b),
					 pairs[i].at > 0 ? 80 + pairs[i].at : 80);
		rule_free(a);
		rule_free(b);
	}
}

#define ONE(id, port) \
	"{\"id\":" #id ",\"listen_port\":" #port ",\"target_host\":\"a\",\"target_port\":1}"
#define RANGE(id, port, end, last)                                            \
	"{\"id\":" #id ",\"listen_port\":" #port ",\"listen_port_end\":" #end \
	",\"target_host\":\"a\",\"target_port\":1,\"target_port_end\":" #last "}"

/* In a file a range meets whoever has one of its ports, before it or behind. */
static void test_files(void **state)
{
	static const struct {
		const char *text, *wrong;
	} files[] = {
		{"[" ONE(1, 79) "," RANGE(2, 80, 89, 10) "," ONE(3, 90) "]", NULL},
		{"[" ONE(1, 85) "," ONE(2, 20) "," RANGE(3, 80, 89, 10) "]",
		 "rules[2].listen_port: 85 is already taken by rules[0]"},
		{"[" RANGE(1, 80, 89, 10) "," RANGE(2, 89, 99, 11) "]",
		 "rules[1].listen_port: 89 is already taken by rules[0]"},
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct rule_error err = {0};
		struct rule **rules;
		size_t n;
		int rc = rules_read(files[i].text, strlen(files[i].text), &rules, &n, &err);

		assert_int_equal(rc != 0, files[i].wrong != NULL);
		if (rc)
			assert_string_equal(err.message, files[i].wrong);
		else
			rules_free(rules, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_spelling),
		cmocka_unit_test(test_alike_and_overlap),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
