// SPDX-License-Identifier: MIT
/* Configuration files: what becomes of them, and every error at its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/rule/rule.h"
#include "standalone/blake3.h"
#include "standalone/config.h"
#include "standalone/problems.h"
#include "standalone/span_text.h"

static struct problems problems;

static struct config *parse(const char *text)
{
	memset(&problems, 0, sizeof(problems));
	return standalone_parse_config(text, strlen(text), &problems);
}

static struct config *good(const char *text)
{
	struct config *c = parse(text);

	if (!c)
		fail_msg("%s: %s", problems.errors.list[0].code, problems.errors.list[0].message);
	return c;
}

/* The first error has this place and code, and its message this part. */
static void bad(const char *text, int line, int column, const char *code, const char *part)
{
	const struct problem *p = &problems.errors.list[0];
	struct config *c = parse(text);

	assert_null(c);
	if (p->line != line || p->column != column || strcmp(p->code, code) != 0 ||
	    !strstr(p->message, part))
		fail_msg("%d:%d: %s: %s; wanted %d:%d: %s: %s", p->line, p->column, p->code,
			 p->message, line, column, code, part);
}

#define WEB "[[rule]]\nname = \"web\"\nlisten_port = 80\ntarget = \"h:8080\"\n"

static void test_hash(void **state)
{
	uint8_t data[3073];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i % 251);
	assert_int_equal(blake3_u64("", 0), 0xa6a1f9f5b94913afull);
	assert_int_equal(blake3_u64("abc", 3), 0x33514638acb33764ull);
	/* One chunk, and trees of two, three and four. */
	assert_int_equal(blake3_u64(data, 1024), __builtin_bswap64(0x42214739f095a406ull));
	assert_int_equal(blake3_u64(data, 1025), __builtin_bswap64(0xd00278ae47eb27b3ull));
	assert_int_equal(blake3_u64(data, 2049), __builtin_bswap64(0x5f4d72f40d7a5f82ull));
	assert_int_equal(blake3_u64(data, 3073), __builtin_bswap64(0x7124b49501012f81ull));
}

static void test_spans(void **state)
{
	static const char *const wrong[] = {"",	       "a",	"0",	 "1-",	"-1",	      "2-1",
					    "1-65536", "65536", "1-2-3", "1 2", "99999999999"};
	struct port_span s;

	assert_true(span_parse(" 8000 - 8009\t", &s));
	assert_int_equal(s.first, 8000);
	assert_int_equal(s.last, 8009);
	assert_true(span_parse("65535", &s));
	assert_int_equal(s.first, 65535);
	assert_int_equal(s.last, 65535);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (span_parse(wrong[i], &s))
			fail_msg("'%s' was taken", wrong[i]);
}

static void test_defaults_of_the_file(void **state)
{
	struct config *c = good(WEB);

	assert_null(c->settings.label);
	assert_null(c->settings.log_level);
	assert_int_equal(c->settings.drain_secs, 30);
	assert_int_equal(c->settings.refresh_ms, 1000);
	assert_false(c->settings.no_stats);
	assert_int_equal(c->n, 1);
	assert_string_equal(c->names[0].name, "web");
	assert_int_equal(c->names[0].shown_id, blake3_u64("web", 3));
	assert_int_equal(c->names[0].id, blake3_u64("web", 3) & ((1ull << 53) - 1));
	assert_int_equal(c->rules[0]->id, c->names[0].id);
	assert_int_equal(c->rules[0]->protocol, RULE_TCP);
	assert_string_equal(c->rules[0]->targets[0].host, "h");
	assert_int_equal(problems.warnings.n, 0);
	standalone_free_config(c);
}

static void test_settings(void **state)
{
	struct config *c = good(
		"[global]\nlabel = \"a\"\nlog_level = \"portunus=debug,info\"\n"
		"log_format = \"pretty\"\nshutdown_drain_secs = 0\nstart_partial = true\n"
		"[stats]\nenabled = false\nsocket_path = \"/x\"\nrefresh_ms = 9\n"
		"[metrics]\nlisten = \"127.0.0.1:9100\"\n" WEB);

	assert_string_equal(c->settings.label, "a");
	assert_string_equal(c->settings.log_level, "portunus=debug,info");
	assert_string_equal(c->settings.log_format, "pretty");
	assert_int_equal(c->settings.drain_secs, 0);
	assert_true(c->settings.start_partial);
	assert_true(c->settings.no_stats);
	assert_string_equal(c->settings.socket_path, "/x");
	assert_string_equal(c->settings.metrics_listen, "127.0.0.1:9100");
	standalone_free_config(c);
}

static void test_targets(void **state)
{
	struct config *c = good(
		"[[rule]]\nname = \"db\"\nlisten_port = 1\ntargets = [\n"
		" { host = \"b\", port = 2, priority = 7, proxy_protocol = \"v2\" },\n"
		" { host = \"::1\", port = 3 },\n { host = \"B.\", port = 2 },\n"
		" { host = \"c\", port = 4, priority = 7 } ]\n");
	const struct rule *r = c->rules[0];

	/* By priority, then by row; without one it is 0. */
	assert_int_equal(r->n_targets, 3);
	assert_string_equal(r->targets[0].host, "[::1]");
	assert_string_equal(r->targets[1].host, "b");
	assert_int_equal(r->targets[1].proxy, RULE_PROXY_V2);
	assert_string_equal(r->targets[2].host, "c");
	assert_int_equal(problems.warnings.n, 2);
	assert_string_equal(problems.warnings.list[0].code, "priority_order");
	assert_string_equal(problems.warnings.list[1].code, "targets_duplicate");
	assert_int_equal(problems.warnings.list[1].line, 7);
	standalone_free_config(c);
}

static void test_ranges(void **state)
{
	struct config *c = good(
		"[[rule]]\nname = \"\"\nprotocol = \"udp\"\nlisten_ports = \"10 - 12\"\n"
		"target = \"[2001:db8::1]:20-22\"\n"
		"[[rule]]\nname = \"one\"\nlisten_ports = \"9\"\ntarget = \"h:7\"\n");
	const struct rule *r = c->rules[0];

	assert_int_equal(r->protocol, RULE_UDP);
	assert_int_equal(r->listen_port, 10);
	assert_int_equal(r->listen_port_end, 12);
	assert_string_equal(r->targets[0].host, "[2001:db8::1]");
	assert_int_equal(r->targets[0].port, 20);
	/* The empty name is one, and its hash the published one. */
	assert_int_equal(c->names[0].shown_id, 0xa6a1f9f5b94913afull);
	assert_int_equal(c->rules[1]->listen_port_end, 0);
	standalone_free_config(c);
}

static void test_defaults_table(void **state)
{
	struct config *c = good(
		"[defaults]\nprotocol = \"udp\"\nudp_max_flows = 5\nudp_flow_idle_secs = 0\n"
		"prefer_ipv6 = true\nhedge_delay_ms = 20\nconnect_timeout_ms = 700\n"
		"[[rule]]\nname = \"u\"\nlisten_port = 1\ntarget = \"h:1\"\n"
		"[[rule]]\nname = \"t\"\nlisten_port = 1\ntarget = \"h:1\"\nprotocol = \"tcp\"\n"
		"prefer_ipv6 = false\n"
		"[[rule]]\nname = \"v\"\nlisten_port = 2\ntarget = \"h:1\"\nudp_max_flows = 0\n"
		"udp_flow_idle_secs = 9\n");
	const struct rule *u = c->rules[0], *t = c->rules[1], *v = c->rules[2];

	assert_int_equal(u->protocol, RULE_UDP);
	assert_int_equal(u->udp_max_flows, 5);
	assert_false(u->fields & RULE_HAS_UDP_IDLE);
	assert_true(u->prefer_ipv6);
	assert_false(u->fields & RULE_HAS_HEDGE_DELAY);
	assert_int_equal(u->connect_timeout_ms, 700);
	assert_int_equal(t->protocol, RULE_TCP);
	assert_false(t->fields & RULE_HAS_UDP_MAX_FLOWS);
	assert_int_equal(t->hedge_delay_ms, 20);
	assert_false(t->prefer_ipv6);
	/* 0 is the default, which is the file's. */
	assert_int_equal(v->udp_max_flows, 5);
	assert_int_equal(v->udp_flow_idle_secs, 9);
	standalone_free_config(c);
}

static void test_more_keys(void **state)
{
	struct config *c = good(
		"[[rule]]\nname = \"a\"\nid = 7\nlisten_port = 1\nlisten_address = \"127.0.0.1\"\n"
		"target = \"h:1\"\nproxy_protocol = \"v1\"\nhealth_check_port = 99\n"
		"health_check_interval_secs = 3\nsni = \"*.a.example\"\nbalance = \"round_robin\"\n"
		"rate_limit = { concurrent_connections = 5 }\nallow = [\"10.0.0.0/8\"]\n"
		"[[rule]]\nname = \"off\"\nenabled = false\nlisten_port = 1\ntarget = \"h:1\"\n"
		"listen_address = \"127.0.0.1\"\n");
	const struct rule *r = c->rules[0];

	assert_int_equal(c->n, 1);
	assert_int_equal(r->id, 7);
	assert_int_equal(c->names[0].shown_id, 7);
	assert_int_equal(r->targets[0].proxy, RULE_PROXY_V1);
	assert_int_equal(rule_check_port(r, &r->targets[0]), 99);
	assert_string_equal(r->sni_pattern, "*.a.example");
	assert_int_equal(r->balance, RULE_BALANCE_ROUND_ROBIN);
	assert_true(r->fields & RULE_HAS_RATE_LIMIT);
	standalone_free_config(c);
}

static void test_udp_keys_of_tcp(void **state)
{
	struct config *c = good(WEB "udp_max_flows = 12\n");

	assert_false(c->rules[0]->fields & RULE_HAS_UDP_MAX_FLOWS);
	assert_int_equal(problems.warnings.n, 1);
	assert_int_equal(problems.warnings.list[0].line, 5);
	standalone_free_config(c);
}

static void test_errors_of_files(void **state)
{
	bad("", 0, 0, "rules_missing", "[[rule]]");
	bad("a = ", 1, 5, "invalid_toml", "");
	bad("[global]\nlable = \"x\"\n" WEB, 2, 1, "invalid_body", "did you mean 'label'?");
	bad("[globl]\n" WEB, 1, 2, "invalid_body", "did you mean 'global'?");
	bad("global = 1\n" WEB, 1, 1, "invalid_body", "must be a table");
	bad("rule = 1\n", 1, 1, "invalid_body", "array of tables");
	bad("rule = [1]\n", 1, 9, "invalid_body", "name");
	bad("[global]\nlog_level = 1\n" WEB, 2, 1, "invalid_body", "must be a string");
	bad("[global]\nshutdown_drain_secs = -1\n" WEB, 2, 1, "invalid_body", "from 0");
	bad("[stats]\nrefresh_ms = 249\n" WEB, 2, 1, "option_out_of_range", "250..5000");
	bad("[stats]\nrefresh_ms = 5001\n" WEB, 2, 1, "option_out_of_range", "250..5000");
	bad("[stats]\nenabled = 1\n" WEB, 2, 1, "invalid_body", "true or false");
	bad("[metrics]\nlisten = \"0.0.0.0:1\"\n" WEB, 2, 1, "option_conflict", "allow_remote");
	bad("[metrics]\nlisten = \"nowhere\"\n" WEB, 2, 1, "option_out_of_range", "ADDRESS:PORT");
	bad("[defaults]\nprotocol = \"TCP\"\n" WEB, 2, 1, "invalid_protocol", "tcp");
	bad("[defaults]\nudp_max_flows = 4294967296\n" WEB, 2, 1, "invalid_body", "4294967295");
	bad("[defaults]\nname = \"a\"\n" WEB, 2, 1, "invalid_body", "unknown key 'name'");
}

#define RULE "[[rule]]\nname = \"r\"\n"

static void test_errors_of_rules(void **state)
{
	bad("[[rule]]\nlisten_port = 1\ntarget = \"h:1\"\n", 1, 1, "invalid_body",
	    "name: is required");
	bad("[[rule]]\nname = 5\nlisten_port = 1\ntarget = \"h:1\"\n", 2, 1, "invalid_body",
	    "a string");
	bad(WEB WEB, 6, 1, "duplicate_rule_name", "'web' is already the name of rule[0]");
	bad(RULE "target = \"h:1\"\n", 1, 1, "range_invalid", "exactly one of");
	bad(RULE "listen_port = 1\nlisten_ports = \"1\"\ntarget = \"h:1\"\n", 4, 1, "range_invalid",
	    "exactly one of");
	bad(RULE "listen_port = 0\ntarget = \"h:1\"\n", 3, 1, "range_invalid", "1..65535");
	bad(RULE "listen_port = 65536\ntarget = \"h:1\"\n", 3, 1, "invalid_body", "65535");
	bad(RULE "listen_port = 1.5\ntarget = \"h:1\"\n", 3, 1, "invalid_body", "integer");
	bad(RULE "listen_ports = \"9-8\"\ntarget = \"h:1\"\n", 3, 1, "range_invalid", "FIRST-LAST");
	bad(RULE "listen_ports = \"8-9\"\ntarget = \"h:1-3\"\n", 4, 1, "range_invalid",
	    "has 3 ports, and the listening side 2");
	bad(RULE "listen_port = 1\n", 1, 1, "rule_shape_missing", "exactly one of target");
	bad(RULE "listen_port = 1\ntarget = \"h:1\"\ntargets = []\n", 5, 1, "rule_shape_conflict",
	    "exactly one of target");
	bad(RULE "listen_port = 1\ntarget = \"h\"\n", 4, 1, "range_invalid", "HOST:PORT");
	bad(RULE "listen_port = 1\ntarget = \"-h:1\"\n", 4, 1, "invalid_target_host_label_hyphen",
	    "rule[0].target:");
	bad(RULE "listen_port = 1\ntargets = []\n", 4, 1, "targets_empty", "at least one");
	bad(RULE "listen_port = 1\ntargets = [{host = \"a b\", port = 1}]\n", 4, 13,
	    "target_invalid_host", "rule[0].targets[0].host:");
	bad(RULE
	    "listen_port = 1\ntargets = [{host = \"a\", port = 1},\n {host = \"b\", port = 0}]\n",
	    5, 15, "target_invalid_port", "rule[0].targets[1].port:");
	bad(RULE "listen_port = 1\ntargets = [{host = \"a\", port = 1, proxy_protocol = \"v3\"}]\n",
	    4, 35, "validation.proxy_protocol_invalid", "v1");
	bad(RULE "listen_port = 1\ntargets = [{host = \"a\", prt = 1}]\n", 4, 25, "invalid_body",
	    "did you mean 'port'?");
	bad(RULE "listen_port = 1\ntarget = \"h:1\"\nprotocol = \"sctp\"\n", 5, 1,
	    "invalid_protocol", "udp");
	bad(RULE "listen_port = 1\ntarget = \"h:1\"\nsni = \"*.com\"\n", 5, 1,
	    "validation.sni_pattern_malformed", "rule[0].sni:");
	bad(RULE "listen_port = 1\ntarget = \"h:1\"\nid = 0\n", 5, 1, "invalid_id", "1..");
	bad(RULE "listen_port = 1\ntarget = \"h:1\"\nenabled = 1\n", 5, 1, "invalid_body", "true");
	bad(RULE "listen_port = 1\ntarget = \"h:1\"\nhedge = 1\n", 5, 1, "invalid_body",
	    "did you mean 'hedge_delay_ms'?");
	bad(RULE "listen_port = 1\ntarget = \"h:1\"\nclient = \"e\"\n", 5, 1, "invalid_body",
	    "unknown key 'client'");
	bad(RULE "listen_port = 1\ntarget = \"h:1\"\nlisten_address = 1979-05-27\n", 5, 1,
	    "invalid_body", "a date or a time");
}

/* What a rule lacks may be there with a slip. */
static void test_slips_in_required_keys(void **state)
{
	bad(RULE "lsten_port = 1\ntarget = \"h:1\"\n", 1, 1, "range_invalid", "listen_port");
	assert_int_equal(problems.errors.n, 2);
	assert_non_null(strstr(problems.errors.list[1].message,
			       "unknown key 'lsten_port'; did you mean 'listen_port'?"));
	bad(RULE "listen_port = 1\ntagets = []\n", 1, 1, "rule_shape_missing", "target");
	assert_int_equal(problems.errors.n, 2);
	assert_non_null(strstr(problems.errors.list[1].message, "did you mean 'targets'?"));
}

static void test_errors_of_sets(void **state)
{
	bad("[[rule]]\nname = \"a\"\nlisten_ports = \"1-9\"\ntarget = \"h:1-9\"\n"
	    "[[rule]]\nname = \"b\"\nlisten_port = 5\ntarget = \"h:1\"\n",
	    7, 1, "port_in_use", "rule[1].listen_port: 5 is already taken by rule[0]");
	bad("[[rule]]\nname = \"a\"\nid = 3\nlisten_port = 1\ntarget = \"h:1\"\n"
	    "[[rule]]\nname = \"b\"\nid = 3\nlisten_port = 5\ntarget = \"h:1\"\n",
	    8, 1, "duplicate_rule_id", "made of the name");
}

/* Each rule's, those of the set, and those of other tables, in the order of the file. */
static void test_all_errors(void **state)
{
	assert_null(parse("[global]\nx = 1\n" RULE "listen_port = 0\ntarget = \"h:1\"\n"
			  "[[rule]]\nname = \"a\"\nlisten_port = 5\ntarget = \"h:1\"\n"
			  "[[rule]]\nname = \"b\"\nlisten_port = 5\ntarget = \"h:1\"\n"
			  "[[rule]]\nname = \"c\"\nlisten_port = 5\ntarget = \"h:1\"\n"));
	assert_int_equal(problems.errors.n, 4);
	assert_int_equal(problems.errors.list[0].line, 2);
	assert_int_equal(problems.errors.list[1].line, 5);
	assert_int_equal(problems.errors.list[2].line, 13);
	assert_int_equal(problems.errors.list[3].line, 17);
}

static void test_many_errors(void **state)
{
	char text[30 * 80] = "";

	for (int i = 0; i < 30; i++)
		sprintf(text + strlen(text),
			"[[rule]]\nname = \"%d\"\nlisten_port = 0\ntarget = \"h:1\"\n", i);
	assert_null(parse(text));
	assert_int_equal(problems.errors.n, 30);
	assert_int_equal(problems.errors.list[PROBLEMS_MAX - 1].line, 3 + 4 * (PROBLEMS_MAX - 1));
}

static void test_nine_targets(void **state)
{
	char text[1024] = RULE "listen_port = 1\ntargets = [\n";

	for (int i = 0; i < 9; i++)
		sprintf(text + strlen(text), "{host = \"h%d\", port = 1},\n", i);
	strcat(text, "]\n");
	bad(text, 4, 1, "targets_too_many", "more than 8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_defaults_of_the_file),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_defaults_table),
		cmocka_unit_test(test_more_keys),
		cmocka_unit_test(test_udp_keys_of_tcp),
		cmocka_unit_test(test_errors_of_files),
		cmocka_unit_test(test_errors_of_rules),
		cmocka_unit_test(test_slips_in_required_keys),
		cmocka_unit_test(test_errors_of_sets),
		cmocka_unit_test(test_all_errors),
		cmocka_unit_test(test_many_errors),
		cmocka_unit_test(test_nine_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
