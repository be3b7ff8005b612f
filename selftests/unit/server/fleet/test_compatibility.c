// SPDX-License-Identifier: MIT
/* Version gates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/rule/blocks.h"
#include "server/fleet/compatibility.h"

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

/* Of all edges of ours only the newer ones know who may come: the others would let in everybody. */
static void sources_need_an_edge_that_knows_them(void **state)
{
	const char *const text[] = {"10.0.0.0/8"};
	struct gate_peer peer = {.version = "0.7.0", .rule_options = true};
	struct rule *r = rule_of(1, 0);
	struct fleet_error err;
	size_t wrong;

	r->deny = rule_blocks_new(text, 1, &wrong);
	assert_true(gate_rule(&peer, r, &err) < 0);
	assert_int_equal(err.e.status, 422);
	assert_string_equal(err.e.code, "rule_options_unsupported_by_client");
	assert_non_null(strstr(err.e.message, "deny"));
	assert_string_equal(err.required, "source-options");
	peer.source_options = true;
	assert_int_equal(gate_rule(&peer, r, &err), 0);
	free(r->deny);
	free(r);
}

static void the_kernel_relay_needs_an_edge_that_knows_it(void **state)
{
	struct gate_peer peer = {.version = "0.7.0", .rule_options = true};
	struct rule *r = rule_of(1, 0);
	struct fleet_error err;

	r->relay = RULE_RELAY_USER;
	assert_true(gate_rule(&peer, r, &err) < 0);
	assert_int_equal(err.e.status, 422);
	assert_string_equal(err.e.code, "kernel_relay_unsupported_by_client");
	assert_string_equal(err.required, "kernel-relay");
	peer.kernel_relay = true;
	assert_int_equal(gate_rule(&peer, r, &err), 0);
	free(r);
}

static void options_need_an_edge_that_knows_them(void **state)
{
	struct fleet_error err;

	assert_int_equal(gate("0.7.0", true, 1, RULE_HAS_HEDGE_DELAY, &err), 0);
	assert_int_equal(gate("3.1.0", false, 1, RULE_HAS_PROBE_INTERVAL, &err), 0);
	assert_true(gate("3.1.0", false, 1, RULE_HAS_HEDGE_DELAY, &err) < 0);
	assert_string_equal(err.e.code, "rule_options_unsupported_by_client");
	assert_int_equal(gate("0.7.0", true, 1, RULE_HAS_HALF_CLOSE, &err), 0);
	assert_true(gate("3.1.0", false, 1, RULE_HAS_HALF_CLOSE, &err) < 0);
	assert_string_equal(err.e.code, "rule_options_unsupported_by_client");
}

/* Of all edges of ours only the newer ones share connections: the key that stands in the way is named. */
static void balance_needs_an_edge_that_knows_it(void **state)
{
	struct gate_peer peer = {.version = "0.7.0", .rule_options = true, .source_options = true};
	const char *const keys[] = {"balance",	    "weight",	  "eject",
				    "health_check", "on_failure", "failback"};
	struct rule *r = rule_of(2, 0);
	struct fleet_error err;

	assert_int_equal(gate_rule(&peer, r, &err), 0);
	/* The last one first, so that each is the first that is found. */
	for (int i = 5; i >= 0; i--) {
		r->manual_failback = true;
		r->end_sessions |= i <= 4;
		r->talk.port = i <= 3 ? 80 : 0;
		r->eject.resets = i <= 2;
		r->targets[1].weight = i <= 1 ? 2 : 1;
		r->balance = i == 0 ? RULE_BALANCE_HASH : RULE_BALANCE_ORDER;
		peer.balance = false;
		assert_true(gate_rule(&peer, r, &err) < 0);
		assert_int_equal(err.e.status, 422);
		assert_string_equal(err.e.code, "rule_options_unsupported_by_client");
		assert_int_equal(strncmp(err.e.message, keys[i], strlen(keys[i])), 0);
		assert_string_equal(err.required, "balance");
		peer.balance = true;
		assert_int_equal(gate_rule(&peer, r, &err), 0);
	}
	free(r);
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

static void names_need_0_9_or_the_word(void **state)
{
	struct fleet_error err;
	struct rule *r = rule_of(1, 0);

	r->sni_pattern = strdup("a.example");
	assert_true(gate_rule(&(struct gate_peer){.version = "0.8.9"}, r, &err) < 0);
	assert_string_equal(err.e.code, "sni_unsupported_by_client");
	assert_string_equal(err.required, "0.9");
	assert_int_equal(gate_rule(&(struct gate_peer){.version = "0.9.0"}, r, &err), 0);
	assert_int_equal(gate_rule(&(struct gate_peer){.version = "0.7.0", .sni = true}, r, &err),
			 0);
	free(r->sni_pattern);
	r->sni_pattern = NULL;
	r->fallback_non_tls = true;
	assert_true(gate_rule(&(struct gate_peer){.version = "3.1.0"}, r, &err) < 0);
	assert_string_equal(err.e.code, "rule_options_unsupported_by_client");
	assert_int_equal(gate_rule(&(struct gate_peer){.version = "0.7.0", .sni = true}, r, &err),
			 0);
	free(r);
}

static void headers_need_0_10_or_the_word(void **state)
{
	struct fleet_error err;
	struct rule *r = rule_of(1, 0);

	r->targets[0].proxy = RULE_PROXY_V2;
	assert_true(gate_rule(&(struct gate_peer){.version = "0.9.9"}, r, &err) < 0);
	assert_string_equal(err.e.code, "proxy_protocol_unsupported_by_client");
	assert_string_equal(err.required, "0.10");
	assert_int_equal(gate_rule(&(struct gate_peer){.version = "0.10.0"}, r, &err), 0);
	assert_int_equal(gate_rule(&(struct gate_peer){.version = "0.7.0", .proxy = true}, r, &err),
			 0);
	free(r);
}

static void caps_need_0_11_or_the_word(void **state)
{
	struct fleet_error err;
	struct rule *r = rule_of(1, RULE_HAS_RATE_LIMIT);

	/* An empty envelope caps nothing. */
	assert_int_equal(gate_rule(&(struct gate_peer){.version = "0.7.0"}, r, &err), 0);
	r->limit.has = 1u << LIMIT_CONCURRENT;
	assert_true(gate_rule(&(struct gate_peer){.version = "0.10.9"}, r, &err) < 0);
	assert_string_equal(err.e.code, "rate_limit_unsupported_by_client");
	assert_string_equal(err.required, "0.11");
	assert_int_equal(gate_rule(&(struct gate_peer){.version = "0.11.0"}, r, &err), 0);
	assert_int_equal(gate_rule(&(struct gate_peer){.version = "0.7.0", .rate_limit = true}, r,
				   &err),
			 0);
	free(r);
}

static void a_check_port_is_an_option(void **state)
{
	struct fleet_error err;
	struct rule *r = rule_of(1, 0);

	r->targets[0].check_port = 80;
	assert_true(gate_rule(&(struct gate_peer){.version = "3.1.0"}, r, &err) < 0);
	assert_string_equal(err.e.code, "rule_options_unsupported_by_client");
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_compare_by_major_and_minor),
		cmocka_unit_test(several_targets_need_0_7),
		cmocka_unit_test(the_kernel_relay_needs_an_edge_that_knows_it),
		cmocka_unit_test(options_need_an_edge_that_knows_them),
		cmocka_unit_test(sources_need_an_edge_that_knows_them),
		cmocka_unit_test(balance_needs_an_edge_that_knows_it),
		cmocka_unit_test(udp_needs_its_hello),
		cmocka_unit_test(names_need_0_9_or_the_word),
		cmocka_unit_test(headers_need_0_10_or_the_word),
		cmocka_unit_test(caps_need_0_11_or_the_word),
		cmocka_unit_test(a_check_port_is_an_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
