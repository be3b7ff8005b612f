// SPDX-License-Identifier: MIT
/* Identities of targets: what makes two of them one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/account.h"
#include "edge/account/identity.h"

static const struct account_key base = {
	.rule_id = 7, .listen_port = 8080, .port = 80, .host = "db.example", .index = 1};

static struct account_target identity(const char *scope, struct account_key key)
{
	struct account_target t;

	account_identity(&t, scope, &key);
	return t;
}

static void test_identity(void **state)
{
	struct account_target a = identity("file:", base), b;
	struct account_key k;

	assert_string_equal(a.scope, "file:");
	assert_string_equal(a.name, "db.example:80");
	assert_int_equal(a.rule_id, 7);
	assert_int_equal(a.listen_port, 8080);
	assert_int_equal(a.port, 80);
	assert_int_equal(a.index, 1);
	assert_int_equal(a.bytes_in, 0);

	/* The row may change, and the way a name is written. */
	k = base;
	k.index = 5;
	k.host = "DB.Example.";
	b = identity("file:", k);
	assert_true(account_identity_equal(&a, &b));
	assert_int_equal(account_identity_hash(&a), account_identity_hash(&b));
}

static void test_identity_differs(void **state)
{
	struct account_target a = identity("file:", base), b;
	struct account_key k[5] = {base, base, base, base, base};

	k[0].rule_id++;
	k[1].listen_port++;
	k[2].port++;
	k[3].host = "db2.example";
	k[4].host = NULL;
	for (int i = 0; i < 5; i++) {
		b = identity("file:", k[i]);
		assert_false(account_identity_equal(&a, &b));
		assert_int_not_equal(account_identity_hash(&a), account_identity_hash(&b));
	}
	b = identity("other", base);
	assert_false(account_identity_equal(&a, &b));
}

static void test_identity_unassigned(void **state)
{
	struct account_key k = base;
	struct account_target t;

	k.host = NULL;
	t = identity("file:", k);
	assert_string_equal(t.name, "(unassigned)");
	assert_int_equal(t.index, ACCOUNT_INDEX_NONE);
	assert_int_equal(t.port, 0);
}

/* Long texts are cut, but those that differ only behind the cut stay different. */
static void test_identity_long(void **state)
{
	char host[254], scope[120];
	struct account_key k = base;
	struct account_target a, b;

	memset(host, 'a', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	memset(scope, 's', sizeof(scope) - 1);
	scope[sizeof(scope) - 1] = '\0';
	k.host = host;
	a = identity(scope, k);
	assert_int_equal(strlen(a.name), ACCOUNT_NAME_LEN - 1);
	assert_int_equal(strlen(a.scope), ACCOUNT_SCOPE_LEN - 1);
	host[252] = 'b';
	b = identity(scope, k);
	assert_false(account_identity_equal(&a, &b));
	host[252] = 'a';
	scope[118] = 't';
	b = identity(scope, k);
	assert_false(account_identity_equal(&a, &b));
	assert_memory_equal(a.name, b.name, ACCOUNT_NAME_LEN);

	/* Exactly as long as there is room for. */
	host[ACCOUNT_NAME_LEN - 1 - 3] = '\0';
	a = identity("", k);
	assert_null(strchr(a.name, '~'));
	assert_int_equal(strlen(a.name), ACCOUNT_NAME_LEN - 1);
}

/* A rule's records have one thing in common, whatever its port, and no other rule has it. */
static void test_rule_hash(void **state)
{
	struct account_target a = identity("file:", base);

	assert_int_equal(account_rule_hash(a.scope, 7), account_rule_hash("file:", 7));
	assert_int_not_equal(account_rule_hash("file:", 7), account_rule_hash("file:", 8));
	assert_int_not_equal(account_rule_hash("file:", 7), account_rule_hash("other", 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_identity_differs),
		cmocka_unit_test(test_identity_unassigned),
		cmocka_unit_test(test_identity_long),
		cmocka_unit_test(test_rule_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
