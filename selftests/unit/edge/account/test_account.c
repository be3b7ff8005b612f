// SPDX-License-Identifier: MIT
/* The whole module where the kernel does not count: every call is a harmless no-op. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "edge/account/account.h"

static const struct account_key base = {
	.rule_id = 7, .listen_port = 8080, .port = 80, .host = "db.example", .index = 1};

/* In user mode every call is a harmless no-op. */
static void test_user_mode(void **state)
{
	static const struct account_config config = {.disable = true};
	static const struct account_config bad = {.instance = "a/b"};
	struct account *a = account_open(&bad);
	struct account_record r;
	uint64_t slot = 5;

	assert_non_null(strstr(account_reason(a), "cannot name an instance"));
	account_close(a);
	a = account_open(&config);
	assert_int_equal(account_mode(a), ACCOUNT_USER);
	assert_false(account_fast_syn(a));
	assert_int_equal(account_slot_get(a, &base, &slot), 0);
	assert_int_equal(slot, 0);
	assert_int_equal(account_tag_listener(a, -1, 1, 2, 3), 0);
	assert_int_equal(account_tag_upstream(a, -1, 1, 2), 0);
	assert_int_equal(account_tag_client(a, -1, 1, 2, 3), 0);
	assert_int_equal(account_refresh(a, UINT64_MAX), 0);
	assert_int_equal(account_read(a, 1, &r), -ENOENT);
	assert_int_equal(account_event_fd(a), -1);
	account_poll(a);
	account_slot_put(a, 1);
	account_slots_drop(a, 1);
	account_slots_settled(a);
	r.bytes_in = 1;
	account_read_removed(a, 1, &r);
	assert_int_equal(r.bytes_in, 0);
	account_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
