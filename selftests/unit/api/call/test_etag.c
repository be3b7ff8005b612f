// SPDX-License-Identifier: MIT
/* Entity tags: made of bytes, found in lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/call/etag.h"

#define VERSION "0123456789abcdef"

static void tag_of(const char *a, const char *b, const char *version, char out[ETAG_SIZE])
{
	struct etag *e = etag_begin();

	etag_add(e, a, strlen(a));
	etag_add(e, b, strlen(b));
	etag_end(e, version, out);
}

static void a_tag_is_that_of_the_bytes(void **state)
{
	char one[ETAG_SIZE], same[ETAG_SIZE], other[ETAG_SIZE];

	tag_of("ab", "c", NULL, one);
	tag_of("a", "bc", NULL, same);
	tag_of("a", "bd", NULL, other);
	assert_string_equal(one, "\"ba7816bf8f01cfea414140de\"");
	assert_string_equal(one, same);
	assert_string_not_equal(one, other);
	tag_of("ab", "c", VERSION, one);
	assert_string_equal(one, "\"" VERSION "-ba7816bf8f01cfea414140de\"");
}

static void a_list_has_a_tag_or_a_star(void **state)
{
	assert_true(etag_matches("\"a\"", "\"a\""));
	assert_true(etag_matches("\"b\", W/\"a\"", "\"a\""));
	assert_true(etag_matches(" * ", "\"a\""));
	assert_false(etag_matches(NULL, "\"a\""));
	assert_false(etag_matches("", "\"a\""));
	assert_false(etag_matches("a", "\"a\""));
	assert_false(etag_matches("\"ab\"", "\"a\""));
	assert_false(etag_matches("\"x\"a\"", "\"a\""));
	assert_false(etag_matches("\"*\"", "\"a\""));
}

static void a_version_is_compared_alone(void **state)
{
	assert_true(etag_version_matches("\"" VERSION "-abc\"", VERSION));
	assert_true(etag_version_matches("\"x\",\"" VERSION "-abd\"", VERSION));
	assert_true(etag_version_matches("*", VERSION));
	assert_false(etag_version_matches("\"" VERSION "\"", VERSION));
	assert_false(etag_version_matches("\"1123456789abcdef-abc\"", VERSION));
	assert_false(etag_version_matches("\"abc\"", VERSION));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tag_is_that_of_the_bytes),
		cmocka_unit_test(a_list_has_a_tag_or_a_star),
		cmocka_unit_test(a_version_is_compared_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
