// SPDX-License-Identifier: MIT
/* Who may come: the longest prefix decides, of equal ones deny, and the table says what the lists say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edge/target/access_list.h"
#include "lib/rule/blocks.h"

/* Of texts up to the first NULL; no text: NULL. */
static struct rule_blocks *blocks(const char *const *text)
{
	size_t n = 0, wrong = 0;
	struct rule_blocks *b;

	while (text[n])
		n++;
	if (!n)
		return NULL;
	b = rule_blocks_new(text, n, &wrong);
	if (!b)
		fail_msg("'%s' is no block", text[wrong]);
	return b;
}

static bool may(const char *const *allow, const char *const *deny, const char *who)
{
	struct rule_blocks *a = blocks(allow), *d = blocks(deny);
	struct access_list *access = access_list_new(a, d);
	union addr addr;
	bool permits;

	assert_non_null(access);
	assert_int_equal(addr_parse_literal(who, 1, &addr), 0);
	permits = access_list_permits(access, &addr);
	access_list_free(access);
	free(a);
	free(d);
	return permits;
}

#define L(...)                                  \
	(const char *const[])                   \
	{                                       \
		__VA_ARGS__ __VA_OPT__(, ) NULL \
	}

static void test_answers(void **state)
{
	static const struct {
		const char *allow[4], *deny[4], *who;
		bool may;
	} cases[] = {
		{{"10.0.0.0/8"}, {NULL}, "10.255.255.255", true},
		{{"10.0.0.0/8"}, {NULL}, "11.0.0.0", false},
		{{"10.0.0.0/8"}, {NULL}, "9.255.255.255", false},
		{{"10.0.0.0/8"}, {NULL}, "::1", false},
		{{NULL}, {"10.0.0.0/8"}, "10.0.0.0", false},
		{{NULL}, {"10.0.0.0/8"}, "::1", true},
		{{NULL}, {"10.0.0.0/8"}, "192.0.2.1", true},
		/* The longest prefix, whichever list it is in. */
		{{"10.1.0.0/16"}, {"10.0.0.0/8"}, "10.1.2.3", true},
		{{"10.1.0.0/16"}, {"10.0.0.0/8"}, "10.2.2.3", false},
		{{"10.0.0.0/8", "10.1.2.3"}, {"10.1.0.0/16"}, "10.1.2.3", true},
		{{"10.0.0.0/8", "10.1.2.3"}, {"10.1.0.0/16"}, "10.1.2.4", false},
		{{"10.0.0.0/8", "10.1.2.3"}, {"10.1.0.0/16"}, "10.2.0.0", true},
		/* Of equal ones the denial. */
		{{"10.0.0.0/8"}, {"10.0.0.0/8"}, "10.1.1.1", false},
		{{"192.0.2.1"}, {"192.0.2.1"}, "192.0.2.1", false},
		/* To the ends of the space. */
		{{NULL}, {"0.0.0.0/0"}, "0.0.0.0", false},
		{{NULL}, {"0.0.0.0/0"}, "255.255.255.255", false},
		{{"255.255.255.255"}, {"0.0.0.0/0"}, "255.255.255.255", true},
		{{"0.0.0.0/1"}, {NULL}, "127.255.255.255", true},
		{{"0.0.0.0/1"}, {NULL}, "128.0.0.0", false},
		{{"::/0"}, {"2001:db8::/32"}, "2001:db8:ffff::1", false},
		{{"::/0"}, {"2001:db8::/32"}, "2001:db9::", true},
		{{"::/0"}, {"ffff::/16"}, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
		{{"::/0"}, {NULL}, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
		/* A mapped address is the IPv4 one. */
		{{"192.0.2.0/24"}, {NULL}, "::ffff:192.0.2.9", true},
		{{"::/0"}, {NULL}, "::ffff:192.0.2.9", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (may(cases[i].allow, cases[i].deny, cases[i].who) != cases[i].may)
			fail_msg("case %zu: %s", i, cases[i].who);
}

/* What the lists say, read one by one. */
static bool by_the_lists(const struct rule_blocks *allow, const struct rule_blocks *deny,
			 const union addr *a)
{
	int yes = -1, no = -1;

	for (size_t i = 0; allow && i < allow->n; i++)
		if (cidr_has(&allow->block[i], a) && allow->block[i].bits > yes)
			yes = allow->block[i].bits;
	for (size_t i = 0; deny && i < deny->n; i++)
		if (cidr_has(&deny->block[i], a) && deny->block[i].bits > no)
			no = deny->block[i].bits;
	return yes < 0 && no < 0 ? !allow : yes > no;
}

static struct rule_blocks *some_blocks(unsigned *seed, char text[][CIDR_TEXT_MAX], size_t n)
{
	const char *list[64];
	size_t wrong;

	for (size_t i = 0; i < n; i++) {
		unsigned bits = 20 + (unsigned)rand_r(seed) % 13, v6 = (unsigned)rand_r(seed) % 3;
		unsigned low = (unsigned)rand_r(seed) & 0xfff & (0xffffffffu << (32 - bits));

		if (v6)
			snprintf(text[i], CIDR_TEXT_MAX, "2001:db8::%x/%u", low, bits + 96);
		else
			snprintf(text[i], CIDR_TEXT_MAX, "10.0.%u.%u/%u", low >> 8, low & 255,
				 bits);
		list[i] = text[i];
	}
	return n ? rule_blocks_new(list, n, &wrong) : NULL;
}

static void test_as_the_lists(void **state)
{
	static char text[2][64][CIDR_TEXT_MAX];
	unsigned seed = 7;

	for (int round = 0; round < 200; round++) {
		struct rule_blocks *allow = some_blocks(&seed, text[0], (size_t)rand_r(&seed) % 40);
		struct rule_blocks *deny = some_blocks(&seed, text[1], (size_t)rand_r(&seed) % 40);
		struct access_list *access = access_list_new(allow, deny);
		union addr a;
		char who[64];

		assert_non_null(access);
		for (unsigned i = 0; i < 4200; i++) {
			snprintf(who, sizeof(who), i & 1 ? "2001:db8::%x" : "10.0.%u.%u",
				 i & 1 ? i / 2 * 2 : i >> 8, i & 255);
			assert_int_equal(addr_parse_literal(who, 0, &a), 0);
			if (access_list_permits(access, &a) != by_the_lists(allow, deny, &a))
				fail_msg("round %d: %s", round, who);
		}
		access_list_free(access);
		free(allow);
		free(deny);
	}
}

static void test_blocks(void **state)
{
	size_t wrong = 9;
	struct rule_blocks *b =
		rule_blocks_new(L("2001:db8::1", "10.0.0.0/8", "[2001:db8:0::1]", "10.0.0.0/8"), 4,
				&wrong);
	struct rule_blocks *copy = rule_blocks_dup(b);

	assert_int_equal(b->n, 2);
	assert_string_equal(b->text[0], "10.0.0.0/8");
	assert_string_equal(b->text[1], "2001:db8::1");
	assert_true(rule_blocks_equal(b, copy));
	assert_true(rule_blocks_equal(NULL, NULL));
	assert_false(rule_blocks_equal(b, NULL));
	assert_string_equal(copy->text[1], "2001:db8::1");
	free(b);
	free(copy);
	assert_null(rule_blocks_new(L("10.0.0.1", "10.0.0.1/8"), 2, &wrong));
	assert_int_equal(wrong, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_as_the_lists),
		cmocka_unit_test(test_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
