// SPDX-License-Identifier: MIT
/* Configuration files: what is read, and the line and reason of everything that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/config.h"

static char *text;
static int64_t number;
static bool flag;

static const char *wrong_text(const char *t)
{
	return strchr(t, '!') ? "calm" : NULL;
}

static const struct config_key keys[] = {
	{"text", CONFIG_STRING, 1, 8, &text, wrong_text},
	{"number", CONFIG_INT, -5, 70000, &number},
	{"huge", CONFIG_INT, INT64_MIN, INT64_MAX, &number},
	{"flag", CONFIG_BOOL, 0, 0, &flag},
	{"list", CONFIG_LIST, 1, 8, &text, wrong_text},
};

static int read_text(const char *toml, struct config_error *err)
{
	return config_read(toml, strlen(toml), keys, sizeof(keys) / sizeof(keys[0]), err);
}

static void check(const char *toml, const char *t, int64_t n, bool f)
{
	struct config_error err;

	free(text);
	text = strdup("none");
	number = 0;
	flag = false;
	if (read_text(toml, &err))
		fail_msg("%d: %s: %s", err.line, err.message, toml);
	assert_string_equal(text, t);
	assert_int_equal(number, n);
	assert_int_equal(flag, f);
	free(text);
	text = NULL;
}

static void test_values(void **state)
{
	check("", "none", 0, false);
	check("# nothing\r\n\n \t# else", "none", 0, false);
	check("text = \"a b#c\" # here\nnumber=1_000\nflag = true", "a b#c", 1000, true);
	check("\xef\xbb\xbftext='a\\b\"'\r\nflag\t=\tfalse\r\n", "a\\b\"", 0, false);
	check("text = \"\\b\\t\\n\\f\\r\\\"\\\\\"", "\b\t\n\f\r\"\\", 0, false);
	check("text = \"\\u00e4\\U0001F600\"", "ä😀", 0, false);
	check("text = \"\\u20AC\"", "€", 0, false);
	check("text = 'ä'", "ä", 0, false);
	check("list = [ \"a\" , 'b',]", "a\nb", 0, false);
	check("list = ['a'] # one", "a", 0, false);
	check("list = ['a', # one\n 'b' ]", "a\nb", 0, false);
	check("text = \"\"\"\na\\\n  b\"\"\"", "ab", 0, false);
	check("\"number\" = 0x10", "none", 16, false);
	check("number = -5", "none", -5, false);
	check("number = +0", "none", 0, false);
	check("huge = 9_223_372_036_854_775_807", "none", INT64_MAX, false);
	check("huge = -9223372036854775808", "none", INT64_MIN, false);
}

static void test_refused(void **state)
{
	static const struct {
		int line;
		const char *message, *toml;
	} cases[] = {
		{2, "unknown key \"tex\"", "\ntex = 'a'"},
		{1, "unknown key \"numbre\"; did you mean number?", "numbre = 1"},
		{1, "unknown key", "texts = 'a'"},
		{1, "unknown key \"a\xc3\xa4\"", "\"aä\" = 'a'"},
		{3, "redefine", "number = 1\n\nnumber = 1"},
		{1, "number must be -5..70000", "number = 70001"},
		{1, "number must be -5..70000", "number = -6"},
		{1, "list takes an array of strings", "list = 'a'"},
		{1, "list takes a string in quotes", "list = [1]"},
		{1, "']'", "list = ['a' 'b']"},
		{2, "list takes a string in quotes", "list = ['a',\n1]"},
		{1, "list must be calm", "list = ['a', '!']"},
		{1, "end of a line", "list = [\"a\\nb\"]"},
		{1, "text must have 1..8 bytes", "text = \"\""},
		{1, "text must have 1..8 bytes", "text = '123456789'"},
		{2, "text must be calm", "\ntext = 'now!'"},
		{1, "end-of-file", "number ="},
		{1, "expected value", "number = # 1"},
		{1, "expected '='", "number 1"},
		{1, "end-of-file", "number"},
		{1, "keys", "= 1"},
		{1, "control characters", "\x01"},
		{1, "neither an array nor a table", "number.a = 1"},
		{2, "tables are not used", "\n[server]"},
		{2, "tables are not used", "\n[[server]]"},
		{1, "tables are not used", "server.a = 1"},
		{1, "takes neither an array", "number = [1]"},
		{1, "takes neither an array nor a table", "number = {a = 1}"},
		{1, "in quotes", "text = a"},
		{1, "in quotes", "text = 1"},
		{1, "end-of-file", "text = \"a"},
		{1, "control characters", "text = 'a\n'"},
		{1, "control characters", "text = \"\x01\""},
		{1, "control characters", "number = 1 # \x7f"},
		{2, "control characters", "text = 'a'\n[\x02 a]"},
		{3, "cannot be read", "text = 'a'\n\n[*]\nnumber = 1"},
		{2, "in quotes", "\ntext = ä"},
		{1, "escape", "text = \"\\x41\""},
		{1, "hex digit", "text = \"\\u12\""},
		{1, "hex digit", "text = \"\\U0000006g\""},
		{1, "cannot hold", "text = \"\\u0000\""},
		{1, "surrogates", "text = \"\\ud800\""},
		{1, "U+10FFFF", "text = \"\\U00110000\""},
		{1, "in quotes", "number = x"},
		{1, "number takes an integer", "number = '1'"},
		{1, "number takes an integer", "number = 1.5"},
		{1, "number takes an integer", "number = 1979-05-27"},
		{1, "number takes an integer", "number = true"},
		{1, "leading zero", "number = 01"},
		{1, "underscores", "number = 1__0"},
		{1, "64 bits", "huge = 9223372036854775808"},
		{1, "true", "flag = True"},
		{1, "flag takes true or false", "flag = 1"},
		{1, "whitespace", "flag = true false"},
		{2, "utf-8", "flag = true\ntext = '\xff'"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_error err;

		text = NULL;
		if (!read_text(cases[i].toml, &err))
			fail_msg("accepted: %s", cases[i].toml);
		if (err.line != cases[i].line || !strstr(err.message, cases[i].message))
			fail_msg("%d: %s instead of %d: %s for %s", err.line, err.message,
				 cases[i].line, cases[i].message, cases[i].toml);
		assert_null(text);
	}
}

/* A file with an error changes nothing, not even what stands before the error. */
static void test_all_or_nothing(void **state)
{
	struct config_error err;

	text = NULL;
	number = 7;
	assert_int_equal(read_text("text='a'\nnumber=1\nwrong=1\n", &err), -EINVAL);
	assert_null(text);
	assert_int_equal(number, 7);
	assert_int_equal(config_read("number=1\0", 9, keys, 4, &err), -EINVAL);
	assert_int_equal(number, 7);
}

static void test_files(void **state)
{
	char path[] = "/tmp/portunus-config-XXXXXX";
	int fd = mkstemp(path);
	struct config_error err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "number = 3\n", 11), 11);
	close(fd);
	assert_int_equal(config_read_file(path, keys, 4, &err), 0);
	assert_int_equal(number, 3);
	unlink(path);
	assert_int_equal(config_read_file(path, keys, 4, &err), -ENOENT);
	assert_int_equal(err.line, 0);
	assert_int_equal(config_read_file("/tmp", keys, 4, &err), -EISDIR);
	assert_int_equal(config_read_file("/dev/zero", keys, 4, &err), -EFBIG);
	assert_int_equal(config_read("", 0, keys, CONFIG_KEYS_MAX + 1, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_all_or_nothing),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
