// SPDX-License-Identifier: MIT
/* The validator: every code of the contract, the order of the checks, what a good rule becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rule/rule.h"
#include "lib/rule/span.h"

#define L	"\"listen_port\":8080"
#define OLD	L ",\"target_host\":\"a.example\",\"target_port\":80"
#define T(h, p) "{\"host\":\"" h "\",\"port\":" #p "}"
#define A	T("a", 1)
#define NEW(t)	L ",\"targets\":[" t "]"
#define X10	"xxxxxxxxxx"
#define X60	X10 X10 X10 X10 X10 X10
#define X253	X60 "." X60 "." X60 "." X60 ".xxxxxxxxx"

/* Single quotes in @text stand for double ones, which would make the tables unreadable. */
static json_t *json_of(const char *text)
{
	char *copy = strdup(text);
	json_error_t err;
	json_t *o;

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	o = json_loads(copy, JSON_DECODE_ANY, &err);
	if (!o)
		fail_msg("test has bad JSON: %s: %s", err.text, copy);
	free(copy);
	return o;
}

static struct rule *parse(const char *members, struct rule_error *err, bool push)
{
	char text[4096];
	struct rule *r;
	json_t *o;

	snprintf(text, sizeof(text), "{%s}", members);
	o = json_of(text);
	r = push ? rule_parse_push(o, err) : rule_parse(o, err);
	json_decref(o);
	return r;
}

struct refusal {
	int status;
	const char *code, *field; /* a part of the message */
	const char *members;
};

static const struct refusal refusals[] = {
	/* Types. */
	{422, "invalid_body", "listen_port", "'target_host':'a','target_port':1"},
	{422, "invalid_body", "listen_port",
	 "'listen_port':'80','target_host':'a','target_port':1"},
	{422, "invalid_body", "listen_port", "'listen_port':65536,'target_host':'a'"},
	{422, "invalid_body", "listen_port", "'listen_port':-1,'target_host':'a'"},
	{422, "invalid_body", "listen_port", "'listen_port':80.0,'target_host':'a'"},
	{422, "invalid_body", "target_host", L ",'target_host':1,'target_port':1"},
	{422, "invalid_body", "target_port", L ",'target_host':'a','target_port':99999"},
	{422, "invalid_body", "prefer_ipv6", OLD ",'prefer_ipv6':1"},
	{422, "invalid_body", "protocol", OLD ",'protocol':6"},
	{422, "invalid_body", "client", OLD ",'client':[]"},
	{422, "invalid_body", "ack_timeout_secs", OLD ",'ack_timeout_secs':-1"},
	{422, "invalid_body", "health_check", OLD ",'health_check_interval_secs':4294967296"},
	{422, "invalid_body", "hedge_delay_ms", OLD ",'hedge_delay_ms':'1'"},
	{422, "invalid_body", "id:", OLD ",'id':'x'"},
	{422, "invalid_body", "targets: ", L ",'targets':{}"},
	{422, "invalid_body", "targets[1]: ", NEW(A ",5")},
	{422, "invalid_body", "targets[0].host", NEW("{'port':1}")},
	{422, "invalid_body", "targets[0].port", NEW("{'host':'a'}")},
	{422, "invalid_body", "targets[1].port", NEW(A "," T("b", 70000))},
	{422, "invalid_body", "targets[9].port",
	 NEW(A "," A "," A "," A "," A "," A "," A "," A "," A ",{'host':'a'}")},
	{422, "invalid_body", "targets[0].priority", NEW("{'host':'a','port':1,'priority':-1}")},
	{422, "invalid_body", "targets[0].proxy_pro",
	 NEW("{'host':'a','port':1,'proxy_protocol':1}")},
	{422, "invalid_body", "rate_limit:", OLD ",'rate_limit':1"},
	{422, "invalid_body", "rate_limit.bandwidth_in_bps",
	 NEW(A) ",'rate_limit':{'bandwidth_in_bps':'1'}"},
	/* Shape, id, ranges. */
	{400, "rule_shape_conflict", "", OLD ",'targets':[" A "]"},
	{400, "rule_shape_conflict", "", NEW(A) ",'target_port':1"},
	{400, "rule_shape_missing", "", L},
	{400, "rule_shape_missing", "", L ",'targets':null"},
	{400, "rule_shape_missing", "target_port", L ",'target_host':'a'"},
	{400, "rule_shape_missing", "target_host", L ",'target_port':1"},
	{400, "invalid_id", "id", OLD ",'id':9007199254740993"},
	{400, "range_invalid", "listen_port", "'listen_port':0,'target_host':'a','target_port':1"},
	{400, "range_invalid", "target_port", L ",'target_host':'a','target_port':0"},
	{400, "range_invalid", "target_port_end", OLD ",'listen_port_end':8081"},
	{400, "range_invalid", "listen_port_end", OLD ",'target_port_end':81"},
	{400, "range_invalid", "listen_port_end",
	 OLD ",'listen_port_end':8079,'target_port_end':80"},
	{400, "range_invalid", "target_port_end",
	 OLD ",'listen_port_end':8081,'target_port_end':79"},
	{400, "range_invalid", "same length", OLD ",'listen_port_end':8081,'target_port_end':80"},
	{400, "range_invalid", "target_port_end",
	 NEW(A) ",'listen_port_end':8081,'target_port_end':81"},
	{400, "range_invalid", "target_port_end",
	 NEW(A) ",'listen_port_end':8080,'target_port_end':80"},
	{400, "range_invalid", "listen_port_end", NEW(A) ",'target_port_end':80"},
	{400, "range_invalid", "target_port_end",
	 NEW(T("a", 80) "," T("b", 90)) ",'listen_port_end':8081,'target_port_end':81"},
	{400, "target_invalid_port", "targets[1].port",
	 NEW(A "," T("b", 65535)) ",'listen_port_end':8081"},
	{400, "option_conflict", "targets[0].same_port",
	 NEW("{'host':'a','port':1,'same_port':true}")},
	{422, "invalid_body", "targets[0].same_port",
	 NEW("{'host':'a','port':1,'same_port':1}") ",'listen_port_end':8081"},
	{400, "target_is_listener", "target_host",
	 "'listen_port':80,'listen_port_end':89,'target_host':'127.0.0.1','target_port':89,"
	 "'target_port_end':98"},
	{400, "target_is_listener", "targets[0].host",
	 NEW("{'host':'127.0.0.1','port':8085,'same_port':true}") ",'listen_port_end':8090"},
	/* Server names. */
	{400, "validation.sni_on_unsupported_rule", "sni",
	 OLD ",'sni_pattern':'a','protocol':'udp'"},
	{400, "validation.sni_on_unsupported_rule", "sni",
	 OLD ",'sni_pattern':'a','listen_port_end':8081,'target_port_end':81"},
	{400, "validation.sni_pattern_malformed", "sni", OLD ",'sni_pattern':'*'"},
	{400, "validation.sni_pattern_malformed", "sni", OLD ",'sni_pattern':'a.*.b'"},
	{400, "validation.sni_pattern_malformed", "sni", OLD ",'sni_pattern':'192.0.2.1'"},
	{400, "validation.sni_pattern_malformed", "sni", OLD ",'sni_pattern':'[::1]'"},
	{400, "validation.sni_pattern_malformed", "sni", OLD ",'sni_pattern':'*.com'"},
	{400, "option_conflict", "fallback_non_tls",
	 OLD ",'sni_pattern':'a','fallback_non_tls':true"},
	{400, "option_conflict", "fallback_non_tls",
	 OLD ",'protocol':'udp','fallback_non_tls':true"},
	/* Caps. */
	{400, "validation.rate_limit_cap_zero", "concurrent",
	 NEW(A) ",'rate_limit':{'concurrent_connections':0}"},
	{400, "validation.rate_limit_burst_unsupported", "concurrent",
	 NEW(A) ",'rate_limit':{'concurrent_connections':0,'concurrent_connections_burst':1}"},
	{400, "validation.rate_limit_cap_zero", "bandwidth_out_bps",
	 NEW(A) ",'rate_limit':{'bandwidth_in_burst':1,'bandwidth_out_bps':0}"},
	{400, "validation.rate_limit_burst_without_rate", "bandwidth_out_burst",
	 NEW(A) ",'rate_limit':{'bandwidth_in_bps':1,'bandwidth_in_burst':99,'bandwidth_out_burst':1}"},
	{400, "validation.rate_limit_burst_unsupported", "concurrent",
	 NEW(A) ",'rate_limit':{'concurrent_connections_burst':1}"},
	{400, "validation.rate_limit_burst_without_rate", "bandwidth_out_burst",
	 NEW(A) ",'rate_limit':{'bandwidth_out_burst':1}"},
	{400, "validation.rate_limit_burst_range", "new_connections_burst",
	 NEW(A) ",'rate_limit':{'new_connections_per_sec':1,'new_connections_burst':61}"},
	{400, "validation.rate_limit_burst_range", "bandwidth_in_burst",
	 NEW(A) ",'rate_limit':{'bandwidth_in_bps':1000,'bandwidth_in_burst':9}"},
	/* Times, in both shapes. */
	{400, "health_check_interval_out_of_range", "", OLD ",'health_check_interval_secs':0"},
	{400, "health_check_interval_out_of_range", "",
	 NEW(A) ",'health_check_interval_secs':3601"},
	{400, "connect_timeout_out_of_range", "", OLD ",'connect_timeout_ms':0"},
	{400, "connect_timeout_out_of_range", "", OLD ",'connect_timeout_ms':60001"},
	{400, "hedge_delay_out_of_range", "", OLD ",'hedge_delay_ms':60001"},
	{400, "idle_timeout_out_of_range", "", OLD ",'idle_timeout_secs':604801"},
	{400, "option_out_of_range", "relay", OLD ",'relay':'bpf'"},
	{400, "option_out_of_range", "relay", OLD ",'relay':''"},
	{400, "option_conflict", "relay", OLD ",'protocol':'udp','relay':'kernel'"},
	{422, "invalid_body", "relay", OLD ",'relay':true"},
	{400, "option_out_of_range", "half_close_timeout_secs",
	 OLD ",'half_close_timeout_secs':86401"},
	{400, "invalid_listen_address", "", OLD ",'listen_address':'localhost'"},
	{400, "invalid_listen_address", "", OLD ",'listen_address':''"},
	{400, "invalid_listen_address", "", OLD ",'listen_address':'192.0.2.1:80'"},
	/* Who may come. */
	{422, "invalid_body", "allow: must be an array", OLD ",'allow':'10.0.0.0/8'"},
	{422, "invalid_body", "deny[1]", OLD ",'deny':['10.0.0.0/8',5]"},
	{400, "option_out_of_range", "allow: must have 1..4096", OLD ",'allow':[]"},
	{400, "option_out_of_range", "allow[1]", OLD ",'allow':['10.0.0.0/8','10.0.0.1/8']"},
	{400, "option_out_of_range", "deny[0]", OLD ",'deny':['localhost']"},
	{400, "option_out_of_range", "deny[0]", OLD ",'deny':['10.0.0.0/33']"},
	/* Where connections go out from. */
	{422, "invalid_body", "source_address: must be a string", OLD ",'source_address':5"},
	{422, "invalid_body", "source_address[0]", OLD ",'source_address':[5]"},
	{422, "invalid_body", "source_interface", OLD ",'source_interface':['eth0']"},
	{400, "option_out_of_range", "source_address: must have", OLD ",'source_address':[]"},
	{400, "option_out_of_range", "source_address[0]", OLD ",'source_address':'10.0.0.0/8'"},
	{400, "option_out_of_range", "source_address[0]", OLD ",'source_address':'0.0.0.0'"},
	{400, "option_out_of_range", "source_address[0]", OLD ",'source_address':'224.0.0.1'"},
	{400, "option_out_of_range", "source_address[0]", OLD ",'source_address':'fe80::1'"},
	{400, "option_out_of_range", "source_address[1]: is the second",
	 OLD ",'source_address':['10.0.0.1','10.0.0.2']"},
	{400, "option_out_of_range", "source_interface", OLD ",'source_interface':''"},
	{400, "option_out_of_range", "source_interface", OLD ",'source_interface':'a/b'"},
	{400, "option_out_of_range", "listen_interface",
	 OLD ",'listen_interface':'abcdefghijklmnop'"},
	{400, "option_out_of_range", "congestion_control", OLD ",'congestion_control':'CUBIC'"},
	{400, "option_conflict", "congestion_control",
	 OLD ",'congestion_control':'bbr','protocol':'udp'"},
	/* Headers that come in. */
	{400, "option_out_of_range", "accept_proxy",
	 OLD ",'accept_proxy':'yes','accept_proxy_from':['::1']"},
	{400, "option_conflict", "accept_proxy: needs", OLD ",'accept_proxy':'required'"},
	{400, "option_conflict", "accept_proxy_from", OLD ",'accept_proxy_from':['::1']"},
	{400, "option_conflict", "accept_proxy_from",
	 OLD ",'accept_proxy':'off','accept_proxy_from':['::1']"},
	{400, "option_conflict", "accept_proxy",
	 OLD ",'accept_proxy':'optional','accept_proxy_from':['::1'],'protocol':'udp'"},
	{400, "option_conflict", "accept_proxy",
	 OLD ",'accept_proxy':'optional','accept_proxy_from':['::1'],'sni_pattern':'a.b'"},
	{400, "option_out_of_range", "accept_proxy_from[0]",
	 OLD ",'accept_proxy':'optional','accept_proxy_from':['x']"},
	/* Headers. */
	{422, "invalid_body", "proxy_protocol_tlvs",
	 NEW("{'host':'b','port':1,'proxy_protocol':'v2','proxy_protocol_tlvs':'unique_id'}")},
	{422, "invalid_body", "health_check_proxy", OLD ",'health_check_proxy':1"},
	{400, "validation.proxy_protocol_invalid", "proxy_protocol", OLD ",'proxy_protocol':'v3'"},
	{400, "rule_shape_conflict", "proxy_protocol", NEW(A) ",'proxy_protocol':'v2'"},
	{400, "option_out_of_range", "targets[0].proxy_protocol_tlvs",
	 NEW("{'host':'b','port':1,'proxy_protocol':'v2','proxy_protocol_tlvs':['alpn']}")},
	{400, "option_conflict", "targets[0].proxy_protocol_tlvs",
	 NEW("{'host':'b','port':1,'proxy_protocol':'v1','proxy_protocol_tlvs':['unique_id']}")},
	{422, "sni_unsupported_by_client", "authority",
	 NEW("{'host':'b','port':1,'proxy_protocol':'v2','proxy_protocol_tlvs':['authority']}")},
	{400, "validation.proxy_protocol_on_unsupported_rule", "proxy_protocol",
	 OLD ",'proxy_protocol':'v2','protocol':'udp'"},
	{400, "option_conflict", "health_check_proxy",
	 OLD ",'health_check_proxy':true,'protocol':'udp'"},
	/* Its own listener. */
	{400, "target_is_listener", "target_host",
	 L ",'target_host':'127.0.0.1','target_port':8080"},
	{400, "target_is_listener", "targets[1].host", NEW(A "," T("[::1]", 8080))},
	/* What nobody can listen at or connect to. */
	{400, "invalid_listen_address", "listen_address", OLD ",'listen_address':'fe80::1'"},
	{400, "invalid_listen_address", "listen_address", OLD ",'listen_address':'224.0.0.1'"},
	{400, "invalid_listen_address", "listen_address", OLD ",'listen_address':'[ff02::1]'"},
	{400, "target_unusable", "target_host", L ",'target_host':'0.0.0.0','target_port':80"},
	{400, "target_unusable", "targets[1].host", NEW(A "," T("[::]", 80))},
	{400, "target_unusable", "targets[1].host", NEW(A "," T("[fe80::1]", 80))},
	{400, "target_unusable", "targets[1].host", NEW(A "," T("[ff02::1]", 80))},
	{400, "target_unusable", "targets[1].host", NEW(A "," T("239.1.2.3", 80))},
	{400, "target_unusable", "targets[1].host", NEW(A "," T("255.255.255.255", 80))},
	/* Targets. */
	{400, "targets_empty", "", L ",'targets':[]"},
	{400, "targets_too_many", "", NEW(A "," A "," A "," A "," A "," A "," A "," A "," A)},
	{400, "validation.proxy_protocol_invalid", "targets[1].proxy_protocol",
	 NEW(A ",{'host':'b','port':1,'proxy_protocol':'v3'}")},
	{400, "target_invalid_port", "targets[1].port", NEW(A "," T("b", 0))},
	{400, "target_invalid_host", "targets[0].host", NEW(T("", 1))},
	{400, "target_invalid_host", "targets[1].host", NEW(A "," T("::1", 1))},
	{400, "target_invalid_host", "brackets", NEW(T("[a]", 1))},
	{400, "targets_duplicate", "targets[1]: is the same as targets[0]", NEW(A "," T("A.", 1))},
	{400, "targets_duplicate", "targets[2]", NEW(T("[::1]", 1) "," A "," T("[0:0::1]", 1))},
	{400, "targets_duplicate", "targets[1]",
	 NEW(T("192.0.2.1", 1) "," T("[::ffff:192.0.2.1]", 1))},
	{400, "validation.proxy_protocol_on_unsupported_rule", "targets[0]",
	 NEW("{'host':'b','port':1,'proxy_protocol':'v2'}") ",'protocol':'udp'"},
	/* Names and protocols. */
	{400, "invalid_name", "client", OLD ",'client':''"},
	{400, "invalid_name", "client", OLD ",'client':'  '"},
	{400, "invalid_name", "client", OLD ",'client':'a\\u0007'"},
	{400, "invalid_name", "client", OLD ",'client':'a\\u0085'"},
	{400, "invalid_name", "255",
	 OLD ",'client':'" X253 "xxx"
	     "'"},
	{400, "invalid_protocol", "protocol", OLD ",'protocol':'sctp'"},
	{400, "invalid_protocol", "protocol", OLD ",'protocol':''"},
	/* What means nothing for the protocol. */
	{400, "option_conflict", "hedge_delay_ms", OLD ",'protocol':'UDP','hedge_delay_ms':5"},
	{400, "option_conflict", "idle_timeout_secs",
	 OLD ",'protocol':'udp','idle_timeout_secs':5"},
	{400, "option_conflict", "udp_max_flows", OLD ",'udp_max_flows':5"},
	{400, "option_out_of_range", "udp_flow_idle_secs",
	 OLD ",'protocol':'udp','udp_flow_idle_secs':0"},
	{400, "option_out_of_range", "udp_max_flows",
	 OLD ",'protocol':'udp','udp_max_flows':1048577"},
	{400, "option_out_of_range", "udp_reply_timeout_ms",
	 OLD ",'protocol':'udp','udp_reply_timeout_ms':99"},
	/* Legacy hosts. */
	{400, "invalid_target_host", "target_host", L ",'target_host':'','target_port':1"},
	{400, "invalid_target_host", "target_host", L ",'target_host':'a b','target_port':1"},
	{400, "invalid_target_host", "target_host", L ",'target_host':'a..b','target_port':1"},
	{400, "invalid_target_host", "target_host", L ",'target_host':'.','target_port':1"},
	{400, "invalid_target_host", "target_host", L ",'target_host':'a..','target_port':1"},
	{400, "invalid_target_host", "target_host", L ",'target_host':'10.0.0','target_port':1"},
	{400, "invalid_target_host", "target_host", L ",'target_host':'10.0.0.1.','target_port':1"},
	{400, "invalid_target_host", "target_host", L ",'target_host':'fe80::1','target_port':1"},
	{400, "invalid_target_host", "target_host",
	 L ",'target_host':'ex\u00e4mple','target_port':1"},
	{400, "invalid_target_host_too_long", "", L ",'target_host':'" X253 "x.','target_port':1"},
	{400, "invalid_target_host_label_too_long", "",
	 L ",'target_host':'" X60 "xxxx','target_port':1"},
	{400, "invalid_target_host_label_hyphen", "", L ",'target_host':'a.-b','target_port':1"},
	{400, "invalid_target_host_label_hyphen", "", L ",'target_host':'a-.b','target_port':1"},
	/* The first of several errors is the contract's first. */
	{422, "invalid_body", "prefer_ipv6", L ",'prefer_ipv6':1"},
	{400, "rule_shape_missing", "", "'listen_port':0"},
	{400, "range_invalid", "listen_port", "'listen_port':0,'targets':[],'sni_pattern':'*'"},
	{400, "validation.sni_pattern_malformed", "",
	 NEW(A) ",'sni_pattern':'*','rate_limit':{'concurrent_connections':0}"},
	{400, "health_check_interval_out_of_range", "", NEW("") ",'health_check_interval_secs':0"},
	{400, "validation.proxy_protocol_invalid", "",
	 NEW(T("", 0) ",{'host':'b','port':1,'proxy_protocol':'v3'}")},
	{400, "target_invalid_host", "", NEW(T("", 0)) ",'client':''"},
	{400, "invalid_name", "", OLD ",'client':'','protocol':'x'"},
	{400, "invalid_protocol", "", L ",'target_host':'','target_port':1,'protocol':'x'"},
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *t = &refusals[i];
		struct rule_error err;
		struct rule *r = parse(t->members, &err, false);

		if (r)
			fail_msg("accepted instead of %s: %s", t->code, t->members);
		if (err.status != t->status || strcmp(err.code, t->code) ||
		    !strstr(err.message, t->field))
			fail_msg("%d %s (%s) instead of %d %s (%s): %s", err.status, err.code,
				 err.message, t->status, t->code, t->field, t->members);
	}
}

static void test_accepted(void **state)
{
	static const char *const accepted[] = {
		OLD,
		OLD ",'protocol':'TCP','client':'edge 1','unknown':{'x':[1]}",
		OLD ",'listen_port_end':8080,'target_port_end':80",
		OLD ",'listen_port_end':8081,'target_port_end':81",
		OLD ",'protocol':'udp','listen_port_end':8081,'target_port_end':81",
		OLD ",'listen_port_end':65535,'target_port_end':57535",
		NEW(T("a", 80) "," T("b", 90)) ",'listen_port_end':8081",
		NEW(T("a", 80) "," T("b", 80)) ",'listen_port_end':8081,'target_port_end':81",
		NEW("{'host':'a','port':65535,'same_port':true}") ",'listen_port_end':8090",
		NEW("{'host':'127.0.0.1','port':8091,'same_port':true}") ",'listen_port_end':8090",
		OLD ",'targets':null,'sni_pattern':null,'rate_limit':null,'listen_port_end':null",
		OLD ",'sni_pattern':' ','rate_limit':{}",
		OLD ",'sni_pattern':' *.A.example '",
		NEW(A) ",'sni_pattern':'a.example'",
		OLD ",'fallback_non_tls':false",
		OLD ",'fallback_non_tls':true",
		OLD ",'health_check_interval_secs':3600,'connect_timeout_ms':60000,"
		    "'hedge_delay_ms':0,'idle_timeout_secs':0,'half_close_timeout_secs':0,"
		    "'ack_timeout_secs':0",
		OLD ",'relay':'auto'",
		OLD ",'relay':'kernel'",
		OLD ",'relay':null",
		OLD ",'listen_address':'::'",
		OLD ",'listen_address':'[::1]'",
		OLD ",'listen_address':'192.0.2.1'",
		OLD ",'allow':null,'deny':['10.0.0.0/8','::1','[::1]','0.0.0.0/0']",
		OLD ",'protocol':'udp','allow':['192.0.2.1'],'deny':['192.0.2.1']",
		OLD ",'source_address':['::1','10.0.0.1'],'source_interface':'eth0.7'",
		OLD ",'source_address':'fe80::1','source_interface':'eth0'",
		OLD ",'listen_address':'fe80::1','listen_interface':'eth0'",
		OLD ",'congestion_control':'bbr','source_address':null,'source_interface':null",
		OLD ",'accept_proxy':'off','accept_proxy_from':null",
		OLD ",'accept_proxy':'required','accept_proxy_from':['10.0.0.0/8','::/0']",
		OLD ",'proxy_protocol':null,'health_check_proxy':true",
		OLD ",'proxy_protocol':' ','protocol':'udp'",
		NEW("{'host':'b','port':1,'proxy_protocol_tlvs':[]}"),
		OLD ",'id':0",
		OLD ",'id':9007199254740992",
		L ",'target_host':'[::1]','target_port':65535",
		L ",'target_host':'" X253 ".','target_port':1",
		L ",'target_host':'" X60 "xxx','target_port':1",
		L ",'target_host':'1.2.3.4.example','target_port':1",
		L ",'target_host':'xn--a-b','target_port':1",
		NEW("{'host':'a','port':1,'priority':4294967295,'proxy_protocol':''}"),
		NEW("{'host':'a','port':1,'priority':null,'proxy_protocol':null}"),
		NEW(A "," T("a", 2) "," T("b", 1)),
		NEW(T("a", 1) "," T("b", 1) "," T("c", 1) "," T("d", 1) "," T("e", 1) "," T(
			"f", 1) "," T("g", 1) "," T("h", 1)),
	};

	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		struct rule_error err;
		struct rule *r = parse(accepted[i], &err, false);

		if (!r)
			fail_msg("%s: %s: %s", err.code, err.message, accepted[i]);
		rule_free(r);
	}
}

static void test_spans(void **state)
{
	static const struct {
		const char *members;
		unsigned first, last, target[2]; /* of the first target: of both ends */
	} spans[] = {
		{OLD, 8080, 8080, {80, 80}},
		{OLD ",'listen_port_end':8080,'target_port_end':80", 8080, 8080, {80, 80}},
		{OLD ",'listen_port_end':8099,'target_port_end':99", 8080, 8099, {80, 99}},
		{NEW(T("a", 65516)) ",'listen_port_end':8099", 8080, 8099, {65516, 65535}},
		{NEW("{'host':'a','port':7,'same_port':true}") ",'listen_port_end':8099",
		 8080,
		 8099,
		 {7, 7}},
	};

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct rule_error err;
		struct rule *r = parse(spans[i].members, &err, false), *again;
		struct span s = rule_span(r);
		json_t *o = rule_to_json(r);

		assert_int_equal(s.first, spans[i].first);
		assert_int_equal(s.last, spans[i].last);
		assert_int_equal(rule_is_range(r), s.first != s.last);
		assert_int_equal(rule_target_port(r, 0, s.first), spans[i].target[0]);
		assert_int_equal(rule_target_port(r, 0, s.last), spans[i].target[1]);
		assert_int_equal(json_object_get(o, "listen_port_end") != NULL, rule_is_range(r));
		again = rule_parse(o, &err);
		assert_true(rule_equal(r, again));
		again->listen_port_end = 9000;
		assert_false(rule_equal(r, again));
		json_decref(o);
		rule_free(again);
		rule_free(r);
	}
}

static void test_push(void **state)
{
	struct rule_error err;
	struct rule *r = parse(OLD, &err, true);

	assert_null(r);
	assert_int_equal(err.status, 422);
	assert_string_equal(err.code, "invalid_body");
	assert_non_null(strstr(err.message, "client"));
	r = parse(OLD ",'client':'edge','id':'what a list shows'", &err, true);
	assert_non_null(r);
	assert_string_equal(r->client, "edge");
	assert_int_equal(r->fields & RULE_HAS_ID, 0);
	rule_free(r);
}

static struct rule *good(const char *members)
{
	struct rule_error err;
	struct rule *r = parse(members, &err, false);

	if (!r)
		fail_msg("%s: %s: %s", err.code, err.message, members);
	return r;
}

static void test_order(void **state)
{
	uint8_t order[RULE_TARGETS_MAX];
	struct rule *r =
		good(NEW("{'host':'d','port':1,'priority':7},{'host':'b.','port':1,'priority':2},"
			 "{'host':'c','port':1,'priority':2},{'host':'a','port':1,'priority':0}"));
	const char *const hosts[] = {"a", "b.", "c", "d"};

	assert_int_equal(r->n_targets, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(r->targets[i].host, hosts[i]);
	r->targets[0].priority = 9;
	r->targets[1].priority = 1;
	r->targets[2].priority = 9;
	r->targets[3].priority = 1;
	rule_preference(r, order);
	assert_memory_equal(order, ((uint8_t[]){1, 3, 0, 2}), 4);
	rule_free(r);
	/* Without priorities the rows are the order; a missing one is its row. */
	r = good(NEW(T("x", 1) ","
			       "{'host':'y','port':1,'priority':0}," T("z", 1)));
	assert_string_equal(r->targets[0].host, "x");
	assert_string_equal(r->targets[1].host, "y");
	assert_int_equal(r->targets[2].priority, 2);
	rule_free(r);
}

static void check_equal(const char *a, const char *b, bool expected)
{
	struct rule *x = good(a), *y = good(b);

	if (rule_equal(x, y) != expected || rule_equal(y, x) != expected)
		fail_msg("%s: %s | %s", expected ? "not equal" : "equal", a, b);
	rule_free(x);
	rule_free(y);
}

static void test_equal(void **state)
{
	check_equal(OLD, OLD ",'client':'x','ack_timeout_secs':9,'prefer_ipv6':false", true);
	check_equal(OLD, NEW("{'host':'A.Example','port':80,'priority':5}"), true);
	/* A single target is never checked. */
	check_equal(OLD, NEW("{'host':'a.example','port':80,'health_check_port':9}"), true);
	check_equal(NEW("{'host':'a.example','port':80,'health_check_port':9}," T("b", 1)),
		    NEW(A "," T("b", 1)), false);
	check_equal(OLD, NEW("{'host':'a.example.','port':80}"), false); /* absolute */
	check_equal(OLD, OLD ",'connect_timeout_ms':3000,'idle_timeout_secs':0", true);
	check_equal(OLD ",'listen_address':'::1'", OLD ",'listen_address':'[0::1]'", true);
	check_equal(OLD, OLD ",'listen_address':'::1'", false);
	check_equal(OLD, OLD ",'id':5", false);
	check_equal(OLD, OLD ",'prefer_ipv6':true", false);
	check_equal(OLD, OLD ",'hedge_delay_ms':0", false);
	check_equal(OLD, OLD ",'connect_timeout_ms':3001", false);
	check_equal(OLD, OLD ",'idle_timeout_secs':1", false);
	check_equal(OLD, OLD ",'half_close_timeout_secs':1", false);
	check_equal(OLD, OLD ",'relay':'user'", true);
	check_equal(OLD, OLD ",'relay':'kernel'", false);
	check_equal(OLD ",'relay':'auto'", OLD ",'relay':'kernel'", false);
	check_equal(OLD, OLD ",'health_check_interval_secs':5", false);
	check_equal(OLD, OLD ",'allow':['10.0.0.0/8']", false);
	check_equal(OLD, OLD ",'health_check_proxy':true", false);
	check_equal(OLD, OLD ",'accept_proxy':'off'", true);
	check_equal(OLD ",'accept_proxy':'optional','accept_proxy_from':['::1']",
		    OLD ",'accept_proxy':'required','accept_proxy_from':['::1']", false);
	check_equal(OLD, OLD ",'proxy_protocol':'v1'", false);
	check_equal(OLD ",'proxy_protocol':'V1'",
		    NEW("{'host':'a.example','port':80,'proxy_protocol':'v1'}"), true);
	check_equal(NEW("{'host':'a','port':1,'proxy_protocol':'v2'}"),
		    NEW("{'host':'a','port':1,'proxy_protocol':'v2',"
			"'proxy_protocol_tlvs':['unique_id']}"),
		    false);
	check_equal(OLD, OLD ",'source_interface':'eth0'", false);
	check_equal(OLD ",'source_interface':'eth0'", OLD ",'listen_interface':'eth0'", false);
	check_equal(OLD ",'source_interface':'eth0'", OLD ",'source_interface':'eth1'", false);
	check_equal(OLD ",'source_address':'::1'", OLD ",'source_address':['[0::1]']", true);
	check_equal(OLD ",'allow':['10.0.0.0/8']", OLD ",'deny':['10.0.0.0/8']", false);
	check_equal(OLD ",'deny':['10.0.0.0/8','::1']", OLD ",'deny':['[0::1]','10.0.0.0/8','::1']",
		    true);
	check_equal(OLD, L ",'target_host':'a.example','target_port':81", false);
	check_equal(OLD, L ",'target_host':'b.example','target_port':80", false);
	check_equal(OLD, "'listen_port':8081,'target_host':'a.example','target_port':80", false);
	check_equal(NEW(A "," T("b", 1)), NEW(T("b", 1) "," A), false);
	check_equal(NEW(A "," T("b", 1)),
		    NEW(A ","
			  "{'host':'b','port':1,'priority':2}"),
		    false);
	check_equal(NEW(A "," T("b", 1)), NEW(A), false);
}

static bool needs_list(const char *text)
{
	struct rule *r = good(text);
	bool needs = rule_needs_list(r);

	rule_free(r);
	return needs;
}

static void check_kept(const char *a, const char *b, bool expected)
{
	struct rule *x = good(a), *y = good(b);

	if (rule_equal_kept(x, y) != expected || rule_equal_kept(y, x) != expected)
		fail_msg("%s: %s | %s", expected ? "not equal" : "equal", a, b);
	rule_free(x);
	rule_free(y);
}

/* What means nothing to a target that is alone is kept all the same, and in one shape only. */
static void test_single_target_keeps(void **state)
{
	static const char *const more[] = {"'priority':5", "'weight':3", "'health_check_port':9"};
	char text[200];

	check_kept(OLD, NEW("{'host':'A.Example','port':80}"), true);
	check_kept(OLD, NEW("{'host':'a.example','port':80,'priority':0,'weight':1}"), true);
	check_kept(OLD, OLD ",'prefer_ipv6':true", false);
	assert_int_equal(needs_list(OLD), false);
	assert_int_equal(needs_list(NEW("{'host':'a','port':80,'priority':0,'weight':1}")), false);
	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), NEW("{'host':'a.example','port':80,%s}"), more[i]);
		check_kept(text, text, true);
		check_kept(OLD, text, false);
		check_equal(OLD, text, true);
		assert_true(needs_list(text));
	}
}

static void test_host_equal(void **state)
{
	assert_true(rule_host_equal("a.example", "A.EXAMPLE."));
	assert_true(rule_host_equal("[::1]", "[0:0::1]"));
	assert_true(rule_host_equal("[2001:DB8::1]", "2001:db8::1"));
	assert_false(rule_host_equal("[::1]", "[::2]"));
	assert_false(rule_host_equal("a", "ab"));
	assert_false(rule_host_equal("10.0.0.1", "10.0.0.2"));
	assert_false(rule_host_equal("", "a"));
	assert_true(rule_host_equal("[fe80::1%none0]", "[fe80:0::1%none0]"));
	assert_false(rule_host_equal("[fe80::1%none0]", "[fe80::1%none1]"));
	assert_true(rule_host_same("a.example", "A.EXAMPLE"));
	assert_false(rule_host_same("a.example", "a.example."));
	assert_null(rule_check_target_host("my_db._tcp.example", NULL));
	assert_null(rule_check_target_host("[fe80::1%eth0]", NULL));
	assert_null(rule_check_target_host("[fe80::1%2]", NULL));
	assert_null(rule_check_target_host("[fe80::1]", NULL)); /* rule_check_target() refuses it */
	assert_non_null(rule_check_target_host("fe80::1%eth0", NULL));
	assert_non_null(rule_check_target_host("[fe80::1%]", NULL));
	assert_non_null(rule_check_target_host("[fe80::1%e/0]", NULL));
	assert_non_null(rule_check_target_host("[fe80::1%eth0", NULL));
	assert_non_null(rule_check_target_host("[2001:db8::1%eth0]", NULL));
	assert_non_null(rule_check_host("my_db", NULL));
}

/* Written and read again, a rule is the same; so is a copy. */
static void test_round_trip(void **state)
{
	static const char *const rules[] = {
		OLD ",'id':7,'client':'edge','prefer_ipv6':true,'health_check_interval_secs':5,"
		    "'connect_timeout_ms':100,'hedge_delay_ms':0,'idle_timeout_secs':60,"
		    "'half_close_timeout_secs':5,"
		    "'listen_address':'192.0.2.1','allow':['10.0.0.0/8','2001:db8::/32'],"
		    "'deny':['10.0.0.1'],'source_address':['10.0.0.1','2001:db8::1'],"
		    "'source_interface':'eth0','listen_interface':'eth1',"
		    "'congestion_control':'reno','health_check_proxy':true",
		OLD ",'rate_limit':{}",
		NEW(A) ",'rate_limit':{'bandwidth_in_bps':1,'bandwidth_in_burst':60,"
		       "'bandwidth_out_bps':9223372036854775807,'new_connections_per_sec':4294967295,"
		       "'concurrent_connections':1}",
		OLD ",'id':7,'proxy_protocol':'v1'",
		OLD ",'accept_proxy':'required','accept_proxy_from':['10.0.0.0/8']",
		NEW("{'host':'d','port':1,'proxy_protocol':'v2',"
		    "'proxy_protocol_tlvs':['unique_id']}"),
		NEW("{'host':'d','port':1,'priority':7},{'host':'[::1]','port':2,'priority':2}"),
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct rule *a = good(rules[i]), *b, *c = rule_dup(a);
		json_t *o = rule_to_json(a);
		struct rule_error err;

		b = rule_parse(o, &err);
		assert_non_null(b);
		assert_true(rule_equal(a, b));
		assert_true(rule_equal(a, c));
		assert_int_equal(a->fields, b->fields);
		assert_int_equal(a->fields, c->fields);
		assert_int_equal(a->legacy, b->legacy);
		assert_true(a->targets[0].host != c->targets[0].host);
		if (a->client)
			assert_string_equal(a->client, b->client);
		json_decref(o);
		rule_free(a);
		rule_free(b);
		rule_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_push),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_single_target_keeps),
		cmocka_unit_test(test_host_equal),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
