// SPDX-License-Identifier: MIT
/* Rules on the control channel: exact bytes, both encodings, the reasons of refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire/text.h"
#include "lib/rule/proto.h"

static struct rule *rule_of(const char *text)
{
	struct rule_error err;
	char *copy = strdup(text);
	struct rule *r;
	json_t *o;

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	o = json_loads(copy, 0, NULL);
	assert_non_null(o);
	r = rule_parse(o, &err);
	if (!r)
		fail_msg("%s: %s: %s", err.code, err.message, text);
	json_decref(o);
	free(copy);
	return r;
}

static size_t pack(const struct rule *r, bool options, uint8_t *buf, size_t size)
{
	struct rule_proto out;

	rule_to_proto(r, options, &out);
	assert_true(portunus__v1__rule__get_packed_size(&out.msg) <= size);
	return portunus__v1__rule__pack(&out.msg, buf);
}

static struct rule *unpack(const uint8_t *buf, size_t len, struct rule_error *err)
{
	Portunus__V1__Rule *m = portunus__v1__rule__unpack(NULL, len, buf);
	struct rule *r;

	assert_non_null(m);
	r = rule_from_proto(m, err);
	portunus__v1__rule__free_unpacked(m, NULL);
	return r;
}

/* The bytes of a single target's rule, written down by hand from the field numbers. */
static const uint8_t legacy[] = {
	0x08, 3,						  /* rule_id */
	0x10, 0xfb, 0x41,					  /* listen_port 8443 */
	0x1a, 9,    'a',  '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', /* target_host */
	0x20, 0xbb, 0x03,					  /* target_port 443 */
	0x28, 1,						  /* protocol TCP */
	0x40, 0,						  /* prefer_ipv6, there and false */
	0x6a, 7,    '_',  'l', 'e', 'g', 'a', 'c', 'y',		  /* owner_id */
};

static void test_legacy_bytes(void **state)
{
	/* One target is one target, whichever shape it was pushed in. */
	static const char *const same[] = {
		"{'id':3,'listen_port':8443,'target_host':'a.example','target_port':443,"
		"'prefer_ipv6':false}",
		"{'id':3,'listen_port':8443,'targets':[{'host':'a.example','port':443,"
		"'priority':9}],'prefer_ipv6':false}",
	};
	uint8_t buf[256];

	for (size_t i = 0; i < 2; i++) {
		struct rule *r = rule_of(same[i]), *back;
		struct rule_error err;

		r->owner = strdup("_legacy");
		assert_int_equal(pack(r, true, buf, sizeof(buf)), sizeof(legacy));
		assert_memory_equal(buf, legacy, sizeof(legacy));
		back = unpack(legacy, sizeof(legacy), &err);
		assert_non_null(back);
		assert_true(rule_equal(r, back));
		assert_true(back->legacy);
		assert_string_equal(back->owner, "_legacy");
		rule_free(r);
		rule_free(back);
	}
}

static void test_list_bytes(void **state)
{
	static const uint8_t expected[] = {
		0x08, 1,  0x10, 80, 0x1a, 1,	'b', 0x20, 1,	0x28, 1, /* the first as a mirror */
		0x4a, 5,  0x0a, 1,  'b',  0x10, 1, /* its priority 0 is absent */
		0x4a, 11, 0x0a, 5,  '[',  ':',	':', '1',  ']', 0x10, 2, 0x18, 4, 0x50, 5,
	};
	struct rule *r = rule_of("{'id':1,'listen_port':80,'health_check_interval_secs':5,"
				 "'targets':[{'host':'[::1]','port':2,'priority':4},"
				 "{'host':'b','port':1,'priority':0}]}");
	Portunus__V1__Rule *m;
	uint8_t buf[256];
	size_t len = pack(r, false, buf, sizeof(buf));

	assert_int_equal(len, sizeof(expected));
	assert_memory_equal(buf, expected, sizeof(expected));
	m = portunus__v1__rule__unpack(NULL, len, buf);
	assert_non_null(m);
	assert_int_equal(m->n_targets, 2);
	assert_string_equal(m->target_host, "b");
	assert_int_equal(m->target_port, 1);
	assert_string_equal(m->targets[1]->host, "[::1]");
	assert_int_equal(m->targets[1]->priority, 4);
	assert_int_equal(m->health_check_interval_secs, 5);
	assert_int_equal(m->_prefer_ipv6_case, 0);
	portunus__v1__rule__free_unpacked(m, NULL);
	rule_free(r);
}

static void test_options(void **state)
{
	struct rule *r = rule_of("{'id':1,'listen_port':80,'target_host':'a','target_port':1,"
				 "'connect_timeout_ms':50,'hedge_delay_ms':0,'idle_timeout_secs':9,"
				 "'half_close_timeout_secs':7,'relay':'kernel',"
				 "'allow':['10.0.0.0/8','::1'],'deny':['10.0.0.1'],"
				 "'source_address':['10.0.0.1','::1'],"
				 "'source_interface':'e0','listen_interface':'e1',"
				 "'congestion_control':'bbr','health_check_proxy':true,"
				 "'accept_proxy':'optional','accept_proxy_from':['10.0.0.0/8'],"
				 "'listen_address':'::1'}");
	struct rule *plain = rule_of("{'id':1,'listen_port':80,'target_host':'a','target_port':1}");
	struct rule_error err;
	struct rule *back;
	uint8_t buf[256];

	back = unpack(buf, pack(r, true, buf, sizeof(buf)), &err);
	assert_non_null(back);
	assert_true(rule_equal(r, back));
	assert_int_equal(r->fields, back->fields);
	rule_free(back);
	back = unpack(buf, pack(r, false, buf, sizeof(buf)), &err);
	assert_non_null(back);
	assert_true(rule_equal(plain, back));
	rule_free(back);
	rule_free(plain);
	rule_free(r);
}

/* Existing edges cap nothing but a list. */
static void test_caps(void **state)
{
	struct rule *r = rule_of("{'id':1,'listen_port':80,'target_host':'a','target_port':1,"
				 "'rate_limit':{'bandwidth_in_bps':100,'bandwidth_in_burst':6000,"
				 "'bandwidth_out_bps':7,'bandwidth_out_burst':3,"
				 "'new_connections_per_sec':5,'new_connections_burst':4,"
				 "'concurrent_connections':1}}");
	struct rule *empty = rule_of("{'id':1,'listen_port':80,'target_host':'a',"
				     "'target_port':1,'rate_limit':{}}");
	struct rule *plain = rule_of("{'id':1,'listen_port':80,'target_host':'a','target_port':1}");
	struct rule_error err;
	struct rule_proto out;
	struct rule *back;
	uint8_t buf[256];

	rule_to_proto(r, false, &out);
	assert_int_equal(out.msg.n_targets, 1);
	assert_string_equal(out.msg.targets[0]->host, "a");
	assert_string_equal(out.msg.target_host, "a");
	back = unpack(buf, pack(r, false, buf, sizeof(buf)), &err);
	assert_non_null(back);
	assert_true(rule_equal(r, back));
	assert_int_equal(back->limit.has, 0x7f);
	assert_false(rule_equal(r, plain));
	assert_true(rule_equal_but_caps(r, plain));
	rule_free(back);
	/* An empty envelope caps nothing, and stays. */
	back = unpack(buf, pack(empty, false, buf, sizeof(buf)), &err);
	assert_non_null(back);
	assert_true(back->fields & RULE_HAS_RATE_LIMIT);
	assert_true(rule_equal(back, plain));
	rule_free(back);
	rule_free(plain);
	rule_free(empty);
	rule_free(r);
}

/* An existing server sends rows in request order and counts rules from 0. */
static void test_rows_stay(void **state)
{
	Portunus__V1__Target rows[2], *list[2] = {&rows[0], &rows[1]};
	Portunus__V1__Rule m = PORTUNUS__V1__RULE__INIT;
	struct rule_error err;
	struct rule *r;

	for (int i = 0; i < 2; i++) {
		portunus__v1__target__init(&rows[i]);
		rows[i].host = i ? "b" : "a";
		rows[i].port = 80;
		rows[i].priority = i ? 1 : 5;
	}
	m.listen_port = 80;
	m.protocol = PORTUNUS__V1__PROTOCOL__TCP;
	m.n_targets = 2;
	m.targets = list;
	r = rule_from_proto(&m, &err);
	assert_non_null(r);
	assert_int_equal(r->id, 0);
	assert_true(r->fields & RULE_HAS_ID);
	assert_string_equal(r->targets[0].host, "a");
	assert_int_equal(r->targets[0].priority, 5);
	rule_free(r);
	m.n_targets = 1;
	r = rule_from_proto(&m, &err);
	assert_non_null(r);
	assert_int_equal(r->n_targets, 1);
	rule_free(r);
}

static void refused(const Portunus__V1__Rule *m, const char *reason)
{
	struct rule_error err;

	if (rule_from_proto(m, &err))
		fail_msg("accepted instead of %s", reason);
	assert_string_equal(err.code, reason);
	assert_true(err.message[0] != '\0');
}

static void test_reasons(void **state)
{
	struct rule_error err;
	struct rule *r;
	Portunus__V1__Rule good = PORTUNUS__V1__RULE__INIT, m;
	Portunus__V1__Target rows[9], *list[9];
	Portunus__V1__RateLimit limit = PORTUNUS__V1__RATE_LIMIT__INIT;

	for (int i = 0; i < 9; i++) {
		portunus__v1__target__init(&rows[i]);
		rows[i].host = "a";
		rows[i].port = 80 + i;
		list[i] = &rows[i];
	}
	good.listen_port = 80;
	good.target_host = "a";
	good.target_port = 1;
	good.protocol = PORTUNUS__V1__PROTOCOL__TCP;

	m = good, m.listen_port = 0, refused(&m, "range_invalid");
	m = good, m.listen_port = 65536, refused(&m, "range_invalid");
	m = good, m.listen_port_end = 81, refused(&m, "range_invalid");
	m = good, m.listen_port_end = 81, m.target_port_end = 3, refused(&m, "range_invalid");
	m = good, m.target_port = 0, refused(&m, "target_invalid_port:0");
	m = good, m.target_port = 65536, refused(&m, "target_invalid_port:0");
	m = good, m.target_host = "", refused(&m, "invalid_target_host");
	m = good, m.target_host = "a.-b", refused(&m, "invalid_target_host");
	m = good, m.protocol = 77, refused(&m, "unsupported_protocol");
	m = good, m._sni_pattern_case = 11, m.sni_pattern = "*.com";
	refused(&m, "validation.sni_pattern_malformed");
	limit._bandwidth_in_bps_case = 1;
	m = good, m.rate_limit = &limit, refused(&m, "validation.rate_limit_cap_zero");
	m = good, m.health_check_interval_secs = 3601;
	refused(&m, "health_check_interval_out_of_range");
	m = good, m._hedge_delay_ms_case = 1001, m.hedge_delay_ms = 60001;
	refused(&m, "hedge_delay_out_of_range");
	m = good, m.listen_address = "x", refused(&m, "invalid_listen_address");
	m = good, m.n_allow = 1, m.allow = (char *[]){"10.0.0.1/8"};
	refused(&m, "option_out_of_range");
	m = good, m.accept_proxy = 3, m.n_accept_proxy_from = 1;
	m.accept_proxy_from = (char *[]){"10.0.0.1"};
	refused(&m, "option_out_of_range");
	m = good, m.source_interface = "a b", refused(&m, "option_out_of_range");
	m = good, m.protocol = PORTUNUS__V1__PROTOCOL__UDP, m.congestion_control = "bbr";
	refused(&m, "option_conflict");

	good.targets = list;
	m = good, m.n_targets = 9, refused(&m, "targets_too_many");
	good.n_targets = 3;
	rows[2].port = 0;
	refused(&good, "target_invalid_port:2");
	rows[2].port = 81;
	refused(&good, "targets_duplicate");
	rows[2].host = "::1";
	refused(&good, "invalid_target_host");
	rows[2].host = "b";
	rows[2]._proxy_protocol_case = 4;
	rows[2].proxy_protocol = PORTUNUS__V1__PROXY_PROTOCOL_VERSION__PROXY_PROTOCOL_VERSION_V1;
	r = rule_from_proto(&good, &err);
	assert_non_null(r);
	assert_int_equal(r->targets[2].proxy, RULE_PROXY_V1);
	assert_int_equal(r->targets[0].proxy, RULE_PROXY_NONE);
	rule_free(r);
	rows[2].proxy_protocol = PORTUNUS__V1__PROXY_PROTOCOL_VERSION__PROXY_PROTOCOL_VERSION_V2;
	rows[2].proxy_protocol_tlvs = RULE_TLV_UNIQUE_ID;
	r = rule_from_proto(&good, &err);
	assert_non_null(r);
	assert_int_equal(r->targets[2].tlvs, RULE_TLV_UNIQUE_ID);
	rule_free(r);
	rows[2].proxy_protocol_tlvs = 4;
	refused(&good, "option_out_of_range");
	rows[2].proxy_protocol_tlvs = 0;
	/* A version that nobody knows yet is none, as existing edges have it. */
	rows[2].proxy_protocol = 9;
	r = rule_from_proto(&good, &err);
	assert_int_equal(r->targets[2].proxy, RULE_PROXY_NONE);
	rule_free(r);
}

/* A range goes over the wire and back, whichever shape it has there. */
static void test_ranges(void **state)
{
	static const struct {
		uint8_t n;
		bool same;
		unsigned listed, target_end;
	} shapes[] = {{1, false, 0, 8019}, {2, false, 2, 0}, {1, true, 1, 0}};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct rule *r = rule_new(shapes[i].n), *again;
		struct rule_error err;
		struct rule_proto p;

		r->id = 7;
		r->fields = RULE_HAS_ID;
		r->listen_port = 30000;
		r->listen_port_end = 30019;
		r->legacy = shapes[i].n == 1;
		for (unsigned k = 0; k < r->n_targets; k++) {
			r->targets[k].host = strdup(k ? "b" : "a");
			r->targets[k].port = (uint16_t)(8000 - 1000 * k);
			r->targets[k].same_port = shapes[i].same;
		}
		rule_to_proto(r, true, &p);
		assert_int_equal(p.msg.listen_port_end, 30019);
		assert_int_equal(p.msg.target_port_end, shapes[i].target_end);
		assert_int_equal(p.msg.n_targets, shapes[i].listed);
		again = rule_from_proto(&p.msg, &err);
		if (!again)
			fail_msg("%s: %s", err.code, err.message);
		assert_true(rule_equal(r, again));
		rule_free(again);
		rule_free(r);
	}
}

static void test_text(void **state)
{
	static const struct {
		bool valid;
		size_t len;
		const char *bytes;
	} cases[] = {
		{true, 0, ""},
		{true, 3,
		 "\x1a\x01"
		 "a"}, /* target_host */
		{true, 4, "\x1a\x02\xc3\xa4"},
		{false, 4, "\x1a\x02\xc3\x41"}, /* not UTF-8 */
		{false, 5,
		 "\x1a\x03"
		 "a\0b"}, /* NUL */
		{false, 3,
		 "\x1a\x02"
		 "a"}, /* too short */
		{true, 5,
		 "\x4a\x03\x0a\x01"
		 "a"}, /* targets.host */
		{false, 5, "\x4a\x03\x0a\x01\xff"},
		{false, 4, "\x4a\x02\x0a\x01"},
		{true, 4, "\xda\x01\x01\xff"}, /* an unknown field may be bytes */
		{true, 10,
		 "\xd9\x01"
		 "12345678"},
		{false, 8,
		 "\xd9\x01"
		 "123456"},
		{true, 6,
		 "\xdd\x01"
		 "1234"},
		{false, 2, "\x1b\x1c"}, /* a group */
		{false, 2, "\x00\x01"}, /* field 0 */
		{false, 1, "\x80"},
		{false, 12, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
		{false, 11, "\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (proto_text_valid(&portunus__v1__rule__descriptor,
				     (const uint8_t *)cases[i].bytes,
				     cases[i].len) != cases[i].valid)
			fail_msg("case %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_legacy_bytes), cmocka_unit_test(test_list_bytes),
		cmocka_unit_test(test_options),	     cmocka_unit_test(test_rows_stay),
		cmocka_unit_test(test_caps),	     cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_text),	     cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
