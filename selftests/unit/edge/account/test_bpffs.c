// SPDX-License-Identifier: MIT
/* Where the pins of an instance are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "edge/account/bpffs.h"

static void test_pin_dir(void **state)
{
	char buf[64];

	assert_int_equal(account_pin_dir(buf, sizeof(buf), "/sys/fs/bpf", 1, ""), 0);
	assert_string_equal(buf, "/sys/fs/bpf/portunus/v1");
	assert_int_equal(account_pin_dir(buf, sizeof(buf), "/sys/fs/bpf", 2, "blue"), 0);
	assert_string_equal(buf, "/sys/fs/bpf/portunus/v2-blue");
	assert_int_equal(account_pin_dir(buf, 10, "/sys/fs/bpf", 1, ""), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pin_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
