// SPDX-License-Identifier: MIT
/* Flat TOML: what is read, and the line and reason of everything that is not. */
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

#include "lib/config.h"

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
		{1, "unknown key", "texts = 'a'"},
		{3, "number was set on line 1 already", "number = 1\n\nnumber = 1"},
		{1, "number must be -5..70000", "number = 70001"},
		{1, "number must be -5..70000", "number = -6"},
		{1, "text must have 1..8 bytes", "text = \"\""},
		{1, "text must have 1..8 bytes", "text = '123456789'"},
		{2, "text must be calm", "\ntext = 'now!'"},
		{1, "number has no value", "number ="},
		{1, "number has no value", "number = # 1"},
		{1, "expected '='", "number 1"},
		{1, "expected '='", "number"},
		{1, "expected a key", "= 1"},
		{1, "expected a key", "\x01"},
		{1, "without quotes", "\"number\" = 1"},
		{1, "dotted keys", "number.a = 1"},
		{2, "tables are not used", "\n[server]"},
		{1, "arrays and tables", "number = [1]"},
		{1, "arrays and tables", "number = {a = 1}"},
		{1, "in quotes", "text = a"},
		{1, "in quotes", "text = 1"},
		{1, "several lines", "text = \"\"\"a\"\"\""},
		{1, "several lines", "text = '''a'''"},
		{1, "no end on this line", "text = \"a"},
		{1, "no end on this line", "text = 'a\n'"},
		{1, "no end on this line", "text = \"a\\\""},
		{1, "control character in a string", "text = \"\x01\""},
		{1, "control character in a string", "text = 'a\rb'"},
		{1, "control character in a comment", "number = 1 # \x7f"},
		{1, "unknown escape", "text = \"\\x41\""},
		{1, "unknown escape", "text = \"\\"},
		{1, "hexadecimal", "text = \"\\u12\""},
		{1, "hexadecimal", "text = \"\\U0000006g\""},
		{1, "cannot hold", "text = \"\\u0000\""},
		{1, "cannot hold", "text = \"\\ud800\""},
		{1, "cannot hold", "text = \"\\U00110000\""},
		{1, "decimal integer", "number = x"},
		{1, "decimal integer", "number = '1'"},
		{1, "decimal integer", "number = 01"},
		{1, "decimal integer", "number = -01"},
		{1, "decimal integer", "number = 0x10"},
		{1, "decimal integer", "number = 1.5"},
		{1, "decimal integer", "number = 1__0"},
		{1, "decimal integer", "number = _1"},
		{1, "decimal integer", "number = 1_"},
		{1, "decimal integer", "number = -"},
		{1, "decimal integer", "number = 1979-05-27"},
		{1, "decimal integer", "number = 07:32:00"},
		{1, "too large", "huge = 9223372036854775808"},
		{1, "too large", "huge = -9223372036854775809"},
		{1, "too large", "huge = 99999999999999999999999999"},
		{1, "true or false", "flag = True"},
		{1, "true or false", "flag = 1"},
		{1, "unexpected text", "flag = true false"},
		{1, "unexpected text", "text = 'a''b'"},
		{1, "unexpected text", "number = 1\r"},
		{2, "not UTF-8", "flag = true\ntext = '\xff'"},
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
