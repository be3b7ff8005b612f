// SPDX-License-Identifier: MIT
/* Version gates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/gates.h"

static void versions_compare_by_major_and_minor(void **state)
{
	assert_true(gate_version_at_least("0.7.0", 0, 7));
	assert_true(gate_version_at_least("0.10", 0, 7));
	assert_true(gate_version_at_least("3.1.0", 0, 10));
	assert_true(gate_version_at_least("1", 0, 11));
	assert_true(gate_version_at_least("0.7-rc1", 0, 7));
	assert_true(gate_version_at_least("0.7+build", 0, 7));
	assert_false(gate_version_at_least("0.6.9", 0, 7));
	assert_false(gate_version_at_least("0.7x", 0, 7));
	assert_false(gate_version_at_least("v1.0", 0, 7));
	assert_false(gate_version_at_least("", 0, 7));
	assert_false(gate_version_at_least("-1.9", 0, 7));
	assert_false(gate_version_at_least("99999999999999999999.0", 0, 7));
}

static struct rule *rule_of(unsigned targets, uint32_t fields)
{
	struct rule *r = calloc(1, sizeof(*r) + targets * sizeof(r->targets[0]));

	r->n_targets = (uint8_t)targets;
	r->protocol = RULE_TCP;
	r->fields = fields;
	return r;
}

static int gate(const char *version, bool options, unsigned targets, uint32_t fields,
		struct fleet_error *err)
{
	struct rule *r = rule_of(targets, fields);
	int rc = gate_rule(&(struct gate_peer){.version = version, .rule_options = options}, r,
			   err);

	free(r);
	return rc;
}

static void several_targets_need_0_7(void **state)
{
	struct fleet_error err;

	assert_int_equal(gate("0.7.0", false, 2, 0, &err), 0);
	assert_int_equal(gate("0.6.0", false, 1, 0, &err), 0);
	assert_true(gate("0.6.0", false, 2, 0, &err) < 0);
	assert_string_equal(err.e.code, "multi_target_unsupported_by_client");
	assert_int_equal(err.e.status, 422);
	assert_string_equal(err.client_version, "0.6.0");
	assert_string_equal(err.required, "0.7");
	/* A Hello without a version is too old for every gate. */
	assert_true(gate("", false, 2, 0, &err) < 0);
	assert_string_equal(err.client_version, "unknown");
}

static void options_need_an_edge_that_knows_them(void **state)
{
	struct fleet_error err;

	assert_int_equal(gate("0.7.0", true, 1, RULE_HAS_HEDGE_DELAY, &err), 0);
	assert_int_equal(gate("3.1.0", false, 1, RULE_HAS_PROBE_INTERVAL, &err), 0);
	assert_true(gate("3.1.0", false, 1, RULE_HAS_HEDGE_DELAY, &err) < 0);
	assert_string_equal(err.e.code, "rule_options_unsupported_by_client");
}

static void udp_needs_its_hello(void **state)
{
	struct fleet_error err;
	struct rule *r = rule_of(1, 0);

	r->protocol = RULE_UDP;
	assert_true(gate_rule(&(struct gate_peer){.version = "3.1.0"}, r, &err) < 0);
	assert_string_equal(err.e.code, "unsupported_protocol");
	assert_int_equal(gate_rule(&(struct gate_peer){.version = "3.1.0", .udp = true}, r, &err),
			 0);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_compare_by_major_and_minor),
		cmocka_unit_test(several_targets_need_0_7),
		cmocka_unit_test(options_need_an_edge_that_knows_them),
		cmocka_unit_test(udp_needs_its_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
