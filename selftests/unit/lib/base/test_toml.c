// SPDX-License-Identifier: MIT
/* TOML: every type, and the place of every key, value and error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "lib/base/toml.h"

static struct toml_value *parse(const char *text)
{
	struct toml_value *root;
	struct toml_error err;

	if (toml_parse(text, strlen(text), &root, &err))
		fail_msg("%d:%d: %s", err.line, err.column, err.message);
	return root;
}

static void test_types(void **state)
{
	struct toml_value *root = parse("s = \"a\\u0000b\"\ni = -3\nf = 1.5\nb = true\n"
					"t = 1979-05-27T07:32:00Z\na = [1, 'x']\no = {k = 1}\n");
	static const enum toml_type types[] = {TOML_STRING, TOML_INTEGER, TOML_FLOAT, TOML_BOOLEAN,
					       TOML_TIME,   TOML_ARRAY,	  TOML_TABLE};

	assert_int_equal(root->type, TOML_TABLE);
	assert_int_equal(root->n, 7);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(root->child[i].type, types[i]);
	assert_int_equal(root->child[0].len, 3);
	assert_memory_equal(root->child[0].string, "a\0b", 4);
	assert_int_equal(root->child[1].integer, -3);
	assert_true(root->child[2].number > 1.4 && root->child[2].number < 1.6);
	assert_true(root->child[3].boolean);
	assert_int_equal(root->child[5].n, 2);
	assert_null(root->child[5].child[0].key);
	assert_string_equal(root->child[5].child[1].string, "x");
	assert_string_equal(root->child[6].child[0].key, "k");
	assert_ptr_equal(toml_find(root, "b"), &root->child[3]);
	assert_null(toml_find(root, "k"));
	toml_free(root);
}

/* In the order of the text, not of the alphabet. */
static void test_places(void **state)
{
	struct toml_value *root = parse("z = 1\n# ä\n  a =   'x'\n[[rule]]\nname = 'ä' \n[[rule]]\n"
					"targets = [\n  {host = 'h', port = 1},\n]\n");
	const struct toml_value *rule, *target;

	assert_string_equal(root->child[0].key, "z");
	assert_int_equal(root->child[1].key_line, 3);
	assert_int_equal(root->child[1].key_column, 3);
	assert_int_equal(root->child[1].line, 3);
	assert_int_equal(root->child[1].column, 9);
	rule = toml_find(root, "rule");
	assert_int_equal(rule->type, TOML_ARRAY);
	assert_int_equal(rule->n, 2);
	assert_int_equal(rule->child[0].line, 4);
	assert_int_equal(rule->child[1].line, 6);
	target = &toml_find(&rule->child[1], "targets")->child[0];
	assert_int_equal(target->line, 8);
	assert_int_equal(toml_find(target, "port")->line, 8);
	assert_int_equal(toml_find(target, "port")->column, 23);
	toml_free(root);
}

static void test_errors(void **state)
{
	static const struct {
		const char *text;
		int line, column;
	} cases[] = {
		{"a = 1\nb = \n", 2, 5},
		{"a = 1\na = 2\n", 2, 5},
		{"[a]\n[a]\n", 2, 1},
		{"a = 'x", 1, 7},
	};
	struct toml_value *root;
	struct toml_error err;
	char deep[3000];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(toml_parse(cases[i].text, strlen(cases[i].text), &root, &err),
				 -EINVAL);
		if (err.line != cases[i].line || err.column != cases[i].column || !err.message[0])
			fail_msg("%zu: %d:%d: %s", i, err.line, err.column, err.message);
		assert_null(strstr(err.message, "Error while parsing"));
	}
	/* Nesting has an end. */
	memset(deep, '[', sizeof(deep));
	memcpy(deep, "a = ", 4);
	assert_int_equal(toml_parse(deep, sizeof(deep), &root, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
