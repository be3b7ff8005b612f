// SPDX-License-Identifier: MIT
/* The grammar of server name patterns, and which rules can share a listener. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/rule/rule.h"
#include "lib/rule/sni.h"

#define X63  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X61  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X253 X63 "." X63 "." X63 "." X61

static void test_accepted(void **state)
{
	static const struct {
		const char *text, *pattern;
	} cases[] = {
		{"a", "a"},
		{"localhost", "localhost"},
		{" \tWWW.Example.ORG\r\n", "www.example.org"},
		{"*.Example.org", "*.example.org"},
		{"*.a.b", "*.a.b"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"1.2.3.a", "1.2.3.a"},
		{X253, X253},
	};
	char out[SNI_PATTERN_MAX + 1];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *wrong = rule_check_sni(cases[i].text, out);

		if (wrong)
			fail_msg("%s: %s", cases[i].text, wrong);
		assert_string_equal(out, cases[i].pattern);
	}
}

static void test_refused(void **state)
{
	static const char *const cases[] = {
		"",	     "*",     "*.",	   "*.com",   "*.*.com",     "a.*.com", "a*.b.com",
		".a",	     "a.",    "a..b",	   "a_b.c",   "-a.b",	     "a-.b",	"a.-b",
		"b\xc3\xbc", "a b",   "192.0.2.1", "[::1]",   "2001:db8::1", "1.2",	"*.1.2",
		"a/b",	     "*a.bc", X253 "x",	   X63 "x.a", "*." X63 ".",
	};
	char out[SNI_PATTERN_MAX + 1];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!rule_check_sni(cases[i], out))
			fail_msg("accepted: %s", cases[i]);
}

static void test_differs(void **state)
{
	struct rule none = {0}, a = {.sni_pattern = "a.b"}, same = {.sni_pattern = "a.b"},
		    any = {.sni_pattern = "*.a.b"};

	assert_false(rule_sni_differs(&none, &none));
	assert_true(rule_sni_differs(&none, &a));
	assert_true(rule_sni_differs(&a, &none));
	assert_true(rule_sni_differs(&a, &any));
	assert_false(rule_sni_differs(&a, &same));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
