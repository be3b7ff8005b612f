// SPDX-License-Identifier: MIT
/* Rules as messages of the control channel, in both encodings. */
#include "lib/rule/proto.h"
#include "lib/rule/blocks.h"
#include "lib/rule/check_limit.h"
#include "lib/rule/draft.h"
#include "lib/rule/span.h"

#include <stdio.h>
#include <string.h>

static void targets_to_proto(const struct rule *r, struct rule_proto *out)
{
	out->msg.target_host = r->targets[0].host;
	out->msg.target_port = r->targets[0].port;
	/* Only a target of the list has a place for a header's version and for one port of a range, a rule with a
	 * pattern is one of the list everywhere, and existing edges cap nothing else. */
	if (r->n_targets == 1 && !r->targets[0].proxy && !r->targets[0].same_port &&
	    !r->sni_pattern && !r->limit.has) {
		if (rule_is_range(r))
			out->msg.target_port_end = rule_target_port(r, 0, r->listen_port_end);
		return;
	}
	for (size_t i = 0; i < r->n_targets; i++) {
		portunus__v1__target__init(&out->targets[i]);
		out->targets[i].host = r->targets[i].host;
		out->targets[i].port = r->targets[i].port;
		out->targets[i].priority = r->targets[i].priority;
		out->targets[i].same_port = r->targets[i].same_port;
		if (r->targets[i].proxy) {
			out->targets[i]._proxy_protocol_case =
				PORTUNUS__V1__TARGET___PROXY_PROTOCOL_PROXY_PROTOCOL;
			out->targets[i].proxy_protocol =
				(Portunus__V1__ProxyProtocolVersion)r->targets[i].proxy;
		}
		out->rows[i] = &out->targets[i];
	}
	out->msg.n_targets = r->n_targets;
	out->msg.targets = out->rows;
}

static void list_to_proto(const struct rule_blocks *b, size_t *n, char ***text)
{
	if (!b)
		return;
	*n = b->n;
	*text = b->text;
}

static void options_to_proto(const struct rule *r, Portunus__V1__Rule *m)
{
	if (r->fields & RULE_HAS_CONNECT_TIMEOUT) {
		m->_connect_timeout_ms_case =
			PORTUNUS__V1__RULE___CONNECT_TIMEOUT_MS_CONNECT_TIMEOUT_MS;
		m->connect_timeout_ms = r->connect_timeout_ms;
	}
	if (r->fields & RULE_HAS_HEDGE_DELAY) {
		m->_hedge_delay_ms_case = PORTUNUS__V1__RULE___HEDGE_DELAY_MS_HEDGE_DELAY_MS;
		m->hedge_delay_ms = r->hedge_delay_ms;
	}
	if (r->fields & RULE_HAS_IDLE_TIMEOUT) {
		m->_idle_timeout_secs_case =
			PORTUNUS__V1__RULE___IDLE_TIMEOUT_SECS_IDLE_TIMEOUT_SECS;
		m->idle_timeout_secs = r->idle_timeout_secs;
	}
	if (r->fields & RULE_HAS_HALF_CLOSE) {
		m->_half_close_timeout_secs_case =
			PORTUNUS__V1__RULE___HALF_CLOSE_TIMEOUT_SECS_HALF_CLOSE_TIMEOUT_SECS;
		m->half_close_timeout_secs = r->half_close_timeout_secs;
	}
	if (r->listen_address)
		m->listen_address = r->listen_address;
	m->fallback_non_tls = r->fallback_non_tls;
	m->relay = (Portunus__V1__RelayPath)r->relay;
	m->udp_flow_idle_secs = r->udp_flow_idle_secs;
	m->udp_max_flows = r->udp_max_flows;
	m->udp_reply_timeout_ms = r->udp_reply_timeout_ms;
	for (size_t i = 0; i < m->n_targets; i++)
		m->targets[i]->health_check_port = r->targets[i].check_port;
	for (size_t i = 0; i < m->n_targets; i++)
		m->targets[i]->proxy_protocol_tlvs = r->targets[i].tlvs;
	m->health_check_proxy = r->health_check_proxy;
	m->accept_proxy = r->accept_proxy;
	list_to_proto(r->accept_proxy_from, &m->n_accept_proxy_from, &m->accept_proxy_from);
	list_to_proto(r->source_address, &m->n_source_address, &m->source_address);
	if (r->source_interface)
		m->source_interface = r->source_interface;
	if (r->listen_interface)
		m->listen_interface = r->listen_interface;
	if (r->congestion_control)
		m->congestion_control = r->congestion_control;
	list_to_proto(r->allow, &m->n_allow, &m->allow);
	list_to_proto(r->deny, &m->n_deny, &m->deny);
}

/* A member of a oneof of its own is there when its case is set. */
#define SET_CAP(type, KEY, name, NAME)                                                  \
	do {                                                                            \
		if (rate_limit_has(l, LIMIT_##KEY)) {                                   \
			m->_##name##_case = PORTUNUS__V1__RATE_LIMIT___##NAME##_##NAME; \
			m->name = (type)l->value[LIMIT_##KEY];                          \
		}                                                                       \
	} while (0)

void rate_limit_to_proto(const struct rate_limit *l, Portunus__V1__RateLimit *m)
{
	portunus__v1__rate_limit__init(m);
	SET_CAP(uint64_t, IN_BPS, bandwidth_in_bps, BANDWIDTH_IN_BPS);
	SET_CAP(uint64_t, OUT_BPS, bandwidth_out_bps, BANDWIDTH_OUT_BPS);
	SET_CAP(uint32_t, NEW_PER_SEC, new_connections_per_sec, NEW_CONNECTIONS_PER_SEC);
	SET_CAP(uint32_t, CONCURRENT, concurrent_connections, CONCURRENT_CONNECTIONS);
	SET_CAP(uint64_t, IN_BURST, bandwidth_in_burst, BANDWIDTH_IN_BURST);
	SET_CAP(uint64_t, OUT_BURST, bandwidth_out_burst, BANDWIDTH_OUT_BURST);
	SET_CAP(uint32_t, NEW_BURST, new_connections_burst, NEW_CONNECTIONS_BURST);
}
#undef SET_CAP

void rule_to_proto(const struct rule *r, bool options, struct rule_proto *out)
{
	Portunus__V1__Rule *m = &out->msg;

	portunus__v1__rule__init(m);
	m->rule_id = r->id;
	m->listen_port = r->listen_port;
	m->listen_port_end = rule_is_range(r) ? r->listen_port_end : 0;
	m->protocol = r->protocol == RULE_UDP ? PORTUNUS__V1__PROTOCOL__UDP
					      : PORTUNUS__V1__PROTOCOL__TCP;
	targets_to_proto(r, out);
	if (r->fields & RULE_HAS_PREFER_IPV6) {
		m->_prefer_ipv6_case = PORTUNUS__V1__RULE___PREFER_IPV6_PREFER_IPV6;
		m->prefer_ipv6 = r->prefer_ipv6;
	}
	if (r->fields & RULE_HAS_PROBE_INTERVAL)
		m->health_check_interval_secs = r->probe_interval_secs;
	if (r->sni_pattern) {
		m->_sni_pattern_case = PORTUNUS__V1__RULE___SNI_PATTERN_SNI_PATTERN;
		m->sni_pattern = r->sni_pattern;
	}
	if (r->owner) {
		m->_owner_id_case = PORTUNUS__V1__RULE___OWNER_ID_OWNER_ID;
		m->owner_id = r->owner;
	}
	if (r->fields & RULE_HAS_RATE_LIMIT) {
		rate_limit_to_proto(&r->limit, &out->limit);
		m->rate_limit = &out->limit;
	}
	if (options) {
		options_to_proto(r, m);
		balance_to_proto(r, m, &out->balance);
	}
}

/* What a server may ask for and this edge does not do, in the order of the contract's gates. */
static int refuse_unsupported(const struct rule_draft *d, const Portunus__V1__Rule *m)
{
	/* Existing edges take "unspecified" for TCP. */
	if (m->protocol != PORTUNUS__V1__PROTOCOL__TCP &&
	    m->protocol != PORTUNUS__V1__PROTOCOL__UDP &&
	    m->protocol != PORTUNUS__V1__PROTOCOL__PROTOCOL_UNSPECIFIED)
		return rule_refuse(d, 422, "unsupported_protocol", -1, "protocol",
				   "is neither TCP nor UDP");
	return 0;
}

static void set_number(struct draft_value *v, bool has, uint64_t value)
{
	v->has = has;
	v->u = has ? value : 0;
}

static void set_text(struct draft_value *v, const char *s)
{
	v->has = true;
	v->s = s;
}

static uint32_t known_tlvs(uint32_t bits)
{
	const uint32_t all = RULE_TLV_UNIQUE_ID | RULE_TLV_AUTHORITY;

	return bits & ~all ? bits | TLV_UNKNOWN : bits;
}

static void draft_targets(struct rule_draft *d, const Portunus__V1__Rule *m)
{
	if (m->n_targets == 0) {
		set_text(&d->key[KEY_TARGET_HOST], m->target_host);
		set_number(&d->key[KEY_TARGET_PORT], true, m->target_port);
		return;
	}
	d->has_targets = true;
	d->n_targets = m->n_targets;
	for (size_t i = 0; i < m->n_targets && i < RULE_TARGETS_MAX; i++) {
		set_text(&d->target[i][TARGET_HOST], m->targets[i]->host);
		set_number(&d->target[i][TARGET_PORT], true, m->targets[i]->port);
		set_number(&d->target[i][TARGET_PRIORITY], true, m->targets[i]->priority);
		/* Of a version that it does not know an existing edge makes none. */
		if (m->targets[i]->_proxy_protocol_case &&
		    rule_proxy_text((uint8_t)m->targets[i]->proxy_protocol))
			set_text(&d->target[i][TARGET_PROXY],
				 rule_proxy_text((uint8_t)m->targets[i]->proxy_protocol));
		set_number(&d->target[i][TARGET_TLVS], m->targets[i]->proxy_protocol_tlvs,
			   known_tlvs(m->targets[i]->proxy_protocol_tlvs));
		set_number(&d->target[i][TARGET_CHECK_PORT], m->targets[i]->health_check_port,
			   m->targets[i]->health_check_port);
		set_number(&d->target[i][TARGET_SAME_PORT], m->targets[i]->same_port,
			   m->targets[i]->same_port);
	}
}

static void draft_list(struct draft_list *list, size_t n, char **text)
{
	list->has = n != 0;
	list->n = n;
	list->text = (const char *const *)text;
}

static void draft_word(struct draft_value *v, const char *text)
{
	if (*text)
		set_text(v, text);
}

static void draft_limit(struct rule_draft *d, const Portunus__V1__RateLimit *m)
{
	struct draft_value *limit = d->limit;

	d->has_limit = true;
	set_number(&limit[LIMIT_IN_BPS], m->_bandwidth_in_bps_case, m->bandwidth_in_bps);
	set_number(&limit[LIMIT_OUT_BPS], m->_bandwidth_out_bps_case, m->bandwidth_out_bps);
	set_number(&limit[LIMIT_NEW_PER_SEC], m->_new_connections_per_sec_case,
		   m->new_connections_per_sec);
	set_number(&limit[LIMIT_CONCURRENT], m->_concurrent_connections_case,
		   m->concurrent_connections);
	set_number(&limit[LIMIT_IN_BURST], m->_bandwidth_in_burst_case, m->bandwidth_in_burst);
	set_number(&limit[LIMIT_OUT_BURST], m->_bandwidth_out_burst_case, m->bandwidth_out_burst);
	set_number(&limit[LIMIT_NEW_BURST], m->_new_connections_burst_case,
		   m->new_connections_burst);
}

static void draft_rule(struct rule_draft *d, const Portunus__V1__Rule *m)
{
	struct draft_value *key = d->key;

	set_number(&key[KEY_LISTEN_PORT], true, m->listen_port);
	set_number(&key[KEY_LISTEN_PORT_END], m->listen_port_end, m->listen_port_end);
	set_number(&key[KEY_TARGET_PORT_END], m->target_port_end, m->target_port_end);
	set_number(&key[KEY_PREFER_IPV6], m->_prefer_ipv6_case, m->prefer_ipv6);
	set_number(&key[KEY_PROBE_INTERVAL], m->health_check_interval_secs,
		   m->health_check_interval_secs);
	set_number(&key[KEY_CONNECT_TIMEOUT], m->_connect_timeout_ms_case, m->connect_timeout_ms);
	set_number(&key[KEY_HEDGE_DELAY], m->_hedge_delay_ms_case, m->hedge_delay_ms);
	set_number(&key[KEY_IDLE_TIMEOUT], m->_idle_timeout_secs_case, m->idle_timeout_secs);
	set_number(&key[KEY_HALF_CLOSE], m->_half_close_timeout_secs_case,
		   m->half_close_timeout_secs);
	set_number(&key[KEY_UDP_IDLE], m->udp_flow_idle_secs, m->udp_flow_idle_secs);
	set_number(&key[KEY_UDP_MAX_FLOWS], m->udp_max_flows, m->udp_max_flows);
	set_number(&key[KEY_UDP_REPLY_TIMEOUT], m->udp_reply_timeout_ms, m->udp_reply_timeout_ms);
	if (m->protocol == PORTUNUS__V1__PROTOCOL__UDP)
		set_text(&key[KEY_PROTOCOL], "udp");
	if (m->_sni_pattern_case)
		set_text(&key[KEY_SNI_PATTERN], m->sni_pattern);
	set_number(&key[KEY_FALLBACK_NON_TLS], m->fallback_non_tls, m->fallback_non_tls);
	/* Of a way that it does not know an edge makes none: user space. */
	if (rule_relay_text((uint8_t)m->relay))
		set_text(&key[KEY_RELAY], rule_relay_text((uint8_t)m->relay));
	if (m->listen_address[0])
		set_text(&key[KEY_LISTEN_ADDRESS], m->listen_address);
	if (m->rate_limit)
		draft_limit(d, m->rate_limit);
	draft_targets(d, m);
	balance_from_proto(d, m);
	draft_list(&d->list[LIST_SOURCE], m->n_source_address, m->source_address);
	/* A way that nobody knows yet is refused by its text. */
	if (m->accept_proxy)
		set_text(&key[KEY_ACCEPT_PROXY],
			 m->accept_proxy <= RULE_ACCEPT_REQUIRED
				 ? rule_accept_text((uint8_t)m->accept_proxy)
				 : "unknown");
	draft_list(&d->list[LIST_ACCEPT_FROM], m->n_accept_proxy_from, m->accept_proxy_from);
	set_number(&key[KEY_HEALTH_CHECK_PROXY], m->health_check_proxy, m->health_check_proxy);
	draft_word(&key[KEY_SOURCE_INTERFACE], m->source_interface);
	draft_word(&key[KEY_LISTEN_INTERFACE], m->listen_interface);
	draft_word(&key[KEY_CONGESTION], m->congestion_control);
	draft_list(&d->list[LIST_ALLOW], m->n_allow, m->allow);
	draft_list(&d->list[LIST_DENY], m->n_deny, m->deny);
}

/* Puts the contract's reason in the place of the API's code where the two differ. */
static void set_reason(const struct rule_draft *d, const Portunus__V1__Rule *m)
{
	struct rule_error *err = d->err;
	bool bad_port = !d->has_targets && (m->target_port < 1 || m->target_port > UINT16_MAX);

	if (!strcmp(err->code, "target_invalid_port") ||
	    (bad_port && !strcmp(err->code, "range_invalid") && m->listen_port >= 1 &&
	     m->listen_port <= UINT16_MAX))
		snprintf(err->code, sizeof(err->code), "target_invalid_port:%d",
			 err->row > 0 ? err->row : 0);
	else if (!strcmp(err->code, "target_invalid_host") ||
		 !strncmp(err->code, "invalid_target_host", 19))
		snprintf(err->code, sizeof(err->code), "invalid_target_host");
}

struct rule *rule_from_proto(const Portunus__V1__Rule *m, struct rule_error *err)
{
	struct rule_draft d = {.prefix = "", .err = err};
	struct rule *r;

	if (refuse_unsupported(&d, m))
		return NULL;
	draft_rule(&d, m);
	r = rule_from_draft(&d);
	if (!r) {
		set_reason(&d, m);
		return NULL;
	}
	r->id = m->rule_id;
	r->fields |= RULE_HAS_ID;
	if (m->_owner_id_case) {
		r->owner = strdup(m->owner_id);
		if (!r->owner) {
			rule_free(r);
			rule_refuse(&d, 500, "internal_error", -1, "", "out of memory");
			return NULL;
		}
	}
	return r;
}

int rate_limit_from_proto(const Portunus__V1__RateLimit *m, struct rate_limit *out,
			  struct rule_error *err)
{
	struct rule_draft d = {.prefix = "", .err = err, .limit_alone = true};
	int rc;

	draft_limit(&d, m);
	rc = check_rate_limit(&d);
	if (!rc)
		draft_rate_limit(&d, out);
	return rc;
}
