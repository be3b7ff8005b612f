// SPDX-License-Identifier: MIT
/* Rules as messages of the control channel, in both encodings. */
#include "lib/rule_proto.h"
#include "lib/rule_draft.h"

#include <stdio.h>
#include <string.h>

static void targets_to_proto(const struct rule *r, struct rule_proto *out)
{
	out->msg.target_host = r->targets[0].host;
	out->msg.target_port = r->targets[0].port;
	if (r->n_targets == 1)
		return;
	for (size_t i = 0; i < r->n_targets; i++) {
		portunus__v1__target__init(&out->targets[i]);
		out->targets[i].host = r->targets[i].host;
		out->targets[i].port = r->targets[i].port;
		out->targets[i].priority = r->targets[i].priority;
		out->rows[i] = &out->targets[i];
	}
	out->msg.n_targets = r->n_targets;
	out->msg.targets = out->rows;
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
	if (r->listen_address)
		m->listen_address = r->listen_address;
}

void rule_to_proto(const struct rule *r, bool options, struct rule_proto *out)
{
	Portunus__V1__Rule *m = &out->msg;

	portunus__v1__rule__init(m);
	m->rule_id = r->id;
	m->listen_port = r->listen_port;
	m->protocol = r->protocol == RULE_UDP ? PORTUNUS__V1__PROTOCOL__UDP
					      : PORTUNUS__V1__PROTOCOL__TCP;
	targets_to_proto(r, out);
	if (r->fields & RULE_HAS_PREFER_IPV6) {
		m->_prefer_ipv6_case = PORTUNUS__V1__RULE___PREFER_IPV6_PREFER_IPV6;
		m->prefer_ipv6 = r->prefer_ipv6;
	}
	if (r->fields & RULE_HAS_PROBE_INTERVAL)
		m->health_check_interval_secs = r->probe_interval_secs;
	if (r->owner) {
		m->_owner_id_case = PORTUNUS__V1__RULE___OWNER_ID_OWNER_ID;
		m->owner_id = r->owner;
	}
	if (options)
		options_to_proto(r, m);
}

static bool has_rate_limit(const Portunus__V1__RateLimit *l)
{
	return l && (l->_bandwidth_in_bps_case || l->_bandwidth_out_bps_case ||
		     l->_new_connections_per_sec_case || l->_concurrent_connections_case ||
		     l->_bandwidth_in_burst_case || l->_bandwidth_out_burst_case ||
		     l->_new_connections_burst_case);
}

/* What a server may ask for and this edge does not do, in the order of the contract's gates. */
static int refuse_unsupported(const struct rule_draft *d, const Portunus__V1__Rule *m)
{
	if (m->_sni_pattern_case && m->sni_pattern[0])
		return rule_refuse(d, 422, "sni_unsupported_by_client", -1, "sni_pattern",
				   "routing by server name is not supported yet");
	for (size_t i = 0; i < m->n_targets; i++)
		if (m->targets[i]->_proxy_protocol_case && m->targets[i]->proxy_protocol != 0)
			return rule_refuse(d, 422, "proxy_protocol_unsupported_by_client", (int)i,
					   "proxy_protocol",
					   "the PROXY protocol is not supported yet");
	if (has_rate_limit(m->rate_limit))
		return rule_refuse(d, 422, "rate_limit_unsupported_by_client", -1, "rate_limit",
				   "rate limits are not supported yet");
	/* Existing edges take "unspecified" for TCP. */
	if (m->protocol != PORTUNUS__V1__PROTOCOL__TCP &&
	    m->protocol != PORTUNUS__V1__PROTOCOL__PROTOCOL_UNSPECIFIED)
		return rule_refuse(d, 422, "unsupported_protocol", -1, "protocol",
				   "only TCP is supported yet");
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
	}
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
	if (m->listen_address[0])
		set_text(&key[KEY_LISTEN_ADDRESS], m->listen_address);
	draft_targets(d, m);
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
