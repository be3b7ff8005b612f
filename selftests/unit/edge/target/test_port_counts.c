// SPDX-License-Identifier: MIT
/* Figures of single ports: each worker's own, added up, and none for ports that nobody used. */
#include "edge/target/cells.h"
#include "edge/target/port_counts.h"
#include "selftests/unit/rig.h"

#define WORKERS 3

static void test_sums(void **state)
{
	static const uint16_t used[] = {1, 63, 64, 30000, 65535};
	struct port_counts *all = port_counts_new(WORKERS);
	struct port_sums sums;
	unsigned found = 0;

	for (unsigned i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		for (unsigned w = 0; w < WORKERS; w++) {
			struct port_cell *c = port_counts_cell(&all[w], used[i]);

			assert_non_null(c);
			cell_add(&c->bytes_in, 10 * (w + 1));
			cell_add(&c->bytes_out, i);
			cell_add(&c->active, 1);
			cell_add(&c->datagrams_in, 2);
			cell_add(&c->datagrams_out, 3);
		}
	cell_add(&port_counts_cell(&all[1], 64)->active, -3ull);
	for (unsigned port = 1; port <= UINT16_MAX; port++)
		found += port_counts_sum(all, WORKERS, (uint16_t)port, &sums);
	assert_int_equal(found, sizeof(used) / sizeof(used[0]));
	assert_true(port_counts_sum(all, WORKERS, 64, &sums));
	assert_int_equal(sums.bytes_in, 60);
	assert_int_equal(sums.bytes_out, 6);
	assert_int_equal(sums.active, 0);
	assert_int_equal(sums.datagrams_in, 6);
	assert_int_equal(sums.datagrams_out, 9);
	port_counts_free(all, WORKERS);
	assert_false(port_counts_sum(NULL, WORKERS, 64, &sums));
	assert_int_equal(sums.bytes_in, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
