// SPDX-License-Identifier: MIT
/* Rules files: every error with its place, ids and listeners unique, odd files refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/rule/rule.h"

#define R(port, more) "{'listen_port':" #port ",'target_host':'a','target_port':1" more "}"

static int read_text(const char *text, struct rule ***rules, size_t *n, struct rule_error *err)
{
	char *copy = strdup(text);
	int rc;

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	rc = rules_read(copy, strlen(copy), rules, n, err);
	free(copy);
	return rc;
}

static void test_places(void **state)
{
	static const struct {
		int line, column;
		const char *code, *message, *text;
	} cases[] = {
		{1, 1, "invalid_json", "is empty", ""},
		{2, 3, "invalid_json", "is empty", "\n  "},
		{1, 1, "invalid_json", "JSON array", "{}"},
		{1, 2, "invalid_json", "rules[0]", "["},
		{1, 3, "invalid_json", "more text", "[]x"},
		{1, 2, "invalid_json", "rules[0]", "[,]"},
		{1, 9, "invalid_json", "u00e?'", "[{'\\u00e\xef\xbb\xbf"},
		{2, 2, "invalid_json", "rules[1]", "[" R(1, "") ",\n ]"},
		{2, 7, "invalid_json", "rules[0]: ':' expected", "[{'listen_port':80,\n  'a' 5}]"},
		{1, 56, "invalid_json", "expected ',' or ']' after rules[0]", "[" R(1, "") "   x]"},
		{1, 2, "invalid_body", "rules[0]: must be an object", "[5]"},
		{2, 1, "invalid_body", "rules[1].target_port",
		 "[" R(1, "") ",\n"
			      "{'listen_port':2,'target_host':'a','target_port':1.5}]"},
		{3, 2, "target_invalid_port", "rules[1].targets[1].port: must be 1..65535",
		 "[" R(1,
		       "") ",\n\n {'listen_port':2,'targets':\n[{'host':'b','port':1},{'host':'c','port':0}]}]"},
		{2, 52, "invalid_body", "rules[1]: unknown key 'balace'; did you mean 'balance'?",
		 "[" R(1, "") ",\n" R(2, ",'balace':'order'") "]"},
		{1, 42, "invalid_body",
		 "rules[0]: unknown key 'targets[0].prio'; did you mean 'priority'?",
		 "[{'listen_port':1,'targets':[{'host':'a','prio':1,'port':1}]}]"},
		{1, 19, "invalid_body", "unknown key 'target'; did you mean 'targets'?",
		 "[{'listen_port':1,'target':[]}]"},
		{1, 19, "invalid_body", "rules[0]: unknown key 'comment'",
		 "[{'listen_port':1,'comment':[]}]"},
		{1, 31, "invalid_json", "duplicate object key",
		 "[{'listen_port':1,'listen_port':2}]"},
		{2, 1, "port_in_use", "rules[1].listen_port: 5 is already taken by rules[0]",
		 "[" R(5, ",'id':1") ",\n" R(5, ",'id':2") "]"},
		{2, 1, "port_in_use", "rules[1]",
		 "[" R(5, ",'id':1,'listen_address':'::1'") ",\n" R(5, ",'id':2") "]"},
		{2, 1, "port_in_use", "rules[1]",
		 "[" R(5, ",'id':1,'listen_address':'::1'") ",\n" R(
			 5, ",'id':2,'listen_address':'[0::1]'") "]"},
		{2, 1, "port_in_use", "rules[1]",
		 "[" R(5, ",'id':1,'listen_address':'0.0.0.0'") ",\n" R(
			 5, ",'id':2,'listen_address':'127.0.0.1'") "]"},
		{2, 1, "port_in_use", "rules[1]",
		 "[" R(5, ",'id':1,'listen_address':'::'") ",\n" R(
			 5, ",'id':2,'listen_address':'127.0.0.1'") "]"},
		{2, 1, "port_in_use", "rules[1]",
		 "[" R(5, ",'id':1,'listen_interface':'eth0'") ",\n" R(5, ",'id':2") "]"},
		/* No neighbours: each sorts beside one that it does not meet. */
		{4, 1, "port_in_use", "rules[3].listen_port: 5 is already taken by rules[1]",
		 "[" R(5, ",'id':1,'listen_address':'127.0.0.3'") ",\n" R(5, ",'id':2,'listen_address':'127.0.0.1'") ",\n" R(
			 5,
			 ",'id':3,'listen_address':'127.0.0.2'") ",\n" R(5,
									 ",'id':4,'listen_interface':'eth0','listen_address':'127.0.0.1'") "]"},
		{2, 1, "duplicate_rule_id", "rules[1].id: 5 is already the id of rules[0]",
		 "[" R(5, "") ",\n" R(6, ",'id':5") "]"},
		{2, 1, "duplicate_rule_id", "rules[1].id",
		 "[" R(5, ",'listen_address':'::1'") ",\n" R(5, ",'listen_address':'::2'") "]"},
		{1, 2, "invalid_id", "rules[0].id", "[" R(5, ",'id':0") "]"},
		{1, 2, "invalid_id", "rules[0].id", "[" R(5, ",'id':9007199254740993") "]"},
		{1, 51, "invalid_json", "too big integer",
		 "[{'target_host':'a','id':99999999999999999999999999}]"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rule_error err;
		struct rule **rules;
		size_t n;

		if (!read_text(cases[i].text, &rules, &n, &err))
			fail_msg("accepted: %s", cases[i].text);
		if (err.line != cases[i].line || err.column != cases[i].column ||
		    strcmp(err.code, cases[i].code) || !strstr(err.message, cases[i].message))
			fail_msg("%d:%d %s %s\ninstead of %d:%d %s %s\nfor %s", err.line,
				 err.column, err.code, err.message, cases[i].line, cases[i].column,
				 cases[i].code, cases[i].message, cases[i].text);
	}
}

static void test_accepted(void **state)
{
	struct rule_error err;
	struct rule **rules;
	size_t n;

	assert_int_equal(read_text(" [ ] \n", &rules, &n, &err), 0);
	assert_int_equal(n, 0);
	rules_free(rules, n);
	assert_int_equal(read_text("\xef\xbb\xbf[" R(5, "") ",\r\n" R(6, ",'id':7") "]\n", &rules,
				   &n, &err),
			 0);
	assert_int_equal(n, 2);
	assert_int_equal(rules[0]->id, 5);
	assert_int_equal(rules[1]->id, 7);
	rules_free(rules, n);
	/* One port on different addresses; the two families keep apart. */
	assert_int_equal(read_text("[" R(5, ",'id':1,'listen_address':'0.0.0.0'") "," R(
					   5, ",'id':2,'listen_address':'::1'") "]",
				   &rules, &n, &err),
			 0);
	rules_free(rules, n);
	/* One port, each by its interface. */
	assert_int_equal(
		read_text(
			"[" R(5, ",'id':1,'listen_interface':'eth0'") "," R(
				5,
				",'id':2,'listen_interface':'eth1'") "," R(5,
									   ",'id':3,'listen_interface':'eth2',"
									   "'listen_address':'::1'") "]",
			&rules, &n, &err),
		0);
	rules_free(rules, n);
}

static void test_many(void **state)
{
	struct rule_error err;
	struct rule **rules;
	char *text = NULL;
	size_t len, n;
	FILE *f = open_memstream(&text, &len);

	for (int i = 1; i <= 10000; i++)
		fprintf(f,
			"%s{\"listen_port\":%d,\"targets\":[{\"host\":\"a\",\"port\":1},"
			"{\"host\":\"b\",\"port\":%d}]}",
			i == 1 ? "[" : ",\n", i, i);
	fputs("]", f);
	fclose(f);
	assert_int_equal(rules_read(text, len, &rules, &n, &err), 0);
	assert_int_equal(n, 10000);
	assert_int_equal(rules[9999]->targets[1].port, 10000);
	rules_free(rules, n);
	free(text);
}

static void test_deep(void **state)
{
	struct rule_error err;
	struct rule **rules;
	char text[10000];
	size_t n;

	memset(text, '[', sizeof(text));
	assert_int_equal(rules_read(text, sizeof(text), &rules, &n, &err), -EINVAL);
	assert_string_equal(err.code, "invalid_json");
	assert_int_equal(rules_read("[\0]", 3, &rules, &n, &err), -EINVAL);
	assert_int_equal(rules_read("[]\0", 3, &rules, &n, &err), -EINVAL);
	assert_int_equal(err.column, 3);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/portunus-rules-XXXXXX", path[64];
	struct rule_error err;
	struct rule **rules;
	size_t n;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/rules.json", dir);
	assert_int_equal(rules_read_file(path, &rules, &n, &err), -ENOENT);
	assert_string_equal(err.code, "file_unreadable");
	assert_int_equal(err.line, 0);
	assert_int_equal(rules_read_file(dir, &rules, &n, &err), -EISDIR);
	assert_int_equal(rules_read_file("/dev/zero", &rules, &n, &err), -EFBIG);
	assert_int_equal(rules_read_file("/dev/null", &rules, &n, &err), -EINVAL);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("[{\"listen_port\":1,\"target_host\":\"a\",\"target_port\":1}]", f);
	fclose(f);
	assert_int_equal(rules_read_file(path, &rules, &n, &err), 0);
	assert_int_equal(n, 1);
	rules_free(rules, n);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places), cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_many),   cmocka_unit_test(test_deep),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
