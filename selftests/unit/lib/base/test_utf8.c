// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/utf8.h"
#include "lib/rule/rule.h"

static void test_what_is_utf8(void **state)
{
	static const struct {
		const char *s;
		size_t n, len;
	} cases[] = {
		{"a", 1, 1},
		{"\0", 1, 1},
		{"\x7f", 1, 1},
		{"", 0, 0},
		{"\x80", 1, 0},
		{"\xc1\x81", 2, 0},
		{"\xc2\x80", 2, 2},
		{"\xc2", 1, 0},
		{"\xc2\x41", 2, 0},
		{"\xdf\xbf", 2, 2},
		{"\xe0\x9f\xbf", 3, 0},
		{"\xe0\xa0\x80", 3, 3},
		{"\xe2\x82", 2, 0},
		{"\xed\x9f\xbf", 3, 3},
		{"\xed\xa0\x80", 3, 0},
		{"\xef\xbf\xbf", 3, 3},
		{"\xe2\x82\x41", 3, 0},
		{"\xf0\x8f\xbf\xbf", 4, 0},
		{"\xf0\x90\x80\x80", 4, 4},
		{"\xf4\x8f\xbf\xbf", 4, 4},
		{"\xf4\x90\x80\x80", 4, 0},
		{"\xf5\x80\x80\x80", 4, 0},
		{"\xff", 1, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (utf8_len(cases[i].s, cases[i].n) != cases[i].len)
			fail_msg("case %zu: %zu", i, utf8_len(cases[i].s, cases[i].n));
	assert_true(utf8_valid("", 0));
	assert_true(utf8_valid("aä€😀", 10));
	assert_false(utf8_valid("aä€😀", 9));
}

static void test_cut_at_characters(void **state)
{
	assert_int_equal(utf8_cut("abc", 2), 2);
	assert_int_equal(utf8_cut("abc", 3), 3);
	assert_int_equal(utf8_cut("abc", 60), 3);
	assert_int_equal(utf8_cut("", 60), 0);
	assert_int_equal(utf8_cut("abc", 0), 0);
	assert_int_equal(utf8_cut("a节点", 3), 1);
	assert_int_equal(utf8_cut("a节点", 4), 4);
	assert_int_equal(utf8_cut("a节点", 6), 4);
	assert_int_equal(utf8_cut("😀😀", 7), 4);
	/* Bytes that are no UTF-8 are cut anywhere. */
	assert_int_equal(utf8_cut("\xff\xff\xff", 2), 2);
	assert_int_equal(utf8_cut("\xe8\x8a", 1), 1);
}

static void test_copy_is_always_utf8(void **state)
{
	char out[8];

	assert_int_equal(utf8_copy(out, sizeof(out), "a节点x", 8), 7);
	assert_string_equal(out, "a节点");
	assert_int_equal(utf8_copy(out, 7, "a节点x", 8), 4);
	assert_string_equal(out, "a节");
	assert_int_equal(utf8_copy(out, sizeof(out), "a\0b\xff\xe8", 5), 5);
	assert_string_equal(out, "a?b??");
	assert_int_equal(utf8_copy(out, 1, "abc", 3), 0);
	assert_string_equal(out, "");
	assert_int_equal(utf8_copy(out, 0, "abc", 3), 0);
}

static void test_format_is_always_utf8(void **state)
{
	char out[8];

	assert_int_equal(utf8_format(out, sizeof(out), "%s", "a节点"), 7);
	assert_string_equal(out, "a节点");
	assert_int_equal(utf8_format(out, 7, "%s", "a节点"), 4);
	assert_string_equal(out, "a节");
	assert_int_equal(utf8_format(out, 6, "%s", "a节点"), 4);
	assert_int_equal(utf8_format(out, 4, "%s", "节点"), 3);
	assert_string_equal(out, "节");
	assert_int_equal(utf8_format(out, 3, "%s", "节点"), 0);
	/* What a precision cut in the middle, and what never was a character. */
	assert_int_equal(utf8_format(out, sizeof(out), "%.2s|\xff", "节"), 4);
	assert_string_equal(out, "??|?");
	/* A whole last character stays when the text is cut behind it. */
	assert_int_equal(utf8_format(out, 5, "%s", "aé€"), 3);
	assert_string_equal(out, "aé");
	assert_int_equal(utf8_format(out, 5, "%s", "éé€"), 4);
	assert_string_equal(out, "éé");
	assert_int_equal(utf8_format(out, 0, "%s", "a"), 0);
}

static void test_names_are_readable(void **state)
{
	static const char *const good[] = {
		"edge-01",     "Büro Zürich", "边缘节点", "کتاب‌خانه",
		"👨‍💻", "a b_c.d:e",
	};
	static const char *const bad[] = {
		"a\n",	      "a\x7f",	     "a\xc2\x85",     /* controls */
		"\u202eevil", "a\u202a",     "a\u2066",	      /* overrides, embeddings, isolates */
		"a\u2069",    "a\u200e",     "a\u200f",	      /* marks of direction */
		"a\u061c",    "a\u2028b",    "a\u2029b",      /* separators */
		"a\u200b",    "\ufeffa",     "a\u00adb",      /* invisible */
		"ed\u200dge", "节\u200d",    "\u200d节",      /* joins nothing */
		"a\ue000",    "a\U000f0000", "a\U0010fffd",   /* private */
		"a\u0378",    "a\ufffe",     "a\U000e0fff",   /* unassigned */
		"a\xff",      "a\xe8\x8a",   "a\xed\xa0\x80", /* no UTF-8 */
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!utf8_is_name(good[i]) || rule_check_client(good[i]))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (utf8_is_name(bad[i]) || !rule_check_client(bad[i]))
			fail_msg("accepted: %zu: %s", i, bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_utf8),
		cmocka_unit_test(test_cut_at_characters),
		cmocka_unit_test(test_copy_is_always_utf8),
		cmocka_unit_test(test_format_is_always_utf8),
		cmocka_unit_test(test_names_are_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
