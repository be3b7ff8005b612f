// SPDX-License-Identifier: MIT
/* The JSON bodies of rules, their figures, and clients. */
#include "api/call/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/call/json.h"
#include "lib/rule/lists.h"
#include "lib/rule/balance.h"
#include "lib/rule/number.h"
#include "lib/rule/words.h"
#include "lib/rule/span.h"
#include "server/fleet/sessions.h"
#include "lib/base/utf8.h"
#include "server/fleet/sni.h"

json_t *encode_time(uint64_t unix_ms)
{
	time_t secs = (time_t)(unix_ms / 1000);
	char text[40], day[24];
	struct tm tm;

	/* Never, or in a year that RFC 3339 has no digits for. */
	if (!unix_ms || !gmtime_r(&secs, &tm) ||
	    !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		return json_null();
	snprintf(text, sizeof(text), "%s.%03uZ", day, (unsigned)(unix_ms % 1000));
	return json_string(text);
}

static int set(json_t *o, const char *key, json_t *value)
{
	return json_object_set_new(o, key, value);
}

/* JSON's numbers are signed here: what an edge says beyond that is shown as the largest. */
static json_int_t number(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (json_int_t)value;
}

static int set_u64(json_t *o, const char *key, uint64_t value)
{
	return json_object_set_new(o, key, json_integer(number(value)));
}

static const char *protocol_text(const struct rule *rule)
{
	return rule->protocol == RULE_UDP ? "udp" : "tcp";
}

/* What was reported of a target, NULL if nothing yet. */
static const struct target_figures *figures_of(const struct fleet_rule *r, unsigned index)
{
	const struct rule_figures *fig = r->figures;

	for (uint32_t i = 0; fig && i < fig->n_targets; i++)
		if (fig->targets[i].index == index)
			return &fig->targets[i];
	return NULL;
}

static json_t *encode_health(const struct target_figures *t)
{
	if (!t)
		return json_null();
	return json_pack("{s:b,s:I,s:I,s:I,s:I,s:i}", "healthy", !t->failed, "consecutive_failures",
			 (json_int_t)t->consecutive_failures, "last_failure_at_unix_ms",
			 number(t->last_failure_ms), "last_success_at_unix_ms",
			 number(t->last_success_ms), "since_unix_ms", number(t->health_since_ms),
			 "last_errno", t->has_kernel ? t->kernel.last_errno : 0);
}

static json_t *encode_targets(const struct fleet_rule *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; list && i < r->rule->n_targets; i++) {
		const struct rule_target *t = &r->rule->targets[i];
		/* A single target has no health state, whichever way it was pushed. */
		const struct target_figures *fig = r->rule->n_targets > 1 ? figures_of(r, i) : NULL;

		json_t *row = json_pack("{s:o,s:i,s:I,s:s?,s:o}", "host", json_text(t->host),
					"port", t->port, "priority", (json_int_t)t->priority,
					"proxy_protocol", rule_proxy_text(t->proxy), "health",
					encode_health(fig));

		if (row && t->same_port)
			set(row, "same_port", json_true());
		if (row && t->check_port)
			set_u64(row, "health_check_port", t->check_port);
		if (row && rule_weight(t) != 1)
			set_u64(row, "weight", t->weight);
		if (row && t->tlvs)
			set(row, "proxy_protocol_tlvs", rule_tlvs_json(t->tlvs));
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *encode_state(const struct fleet_rule *r)
{
	if (r->state == FLEET_FAILED)
		return json_pack("{s:s,s:o}", "kind", "failed", "reason", json_text(r->reason));
	return json_pack("{s:s}", "kind", r->state == FLEET_ACTIVE ? "active" : "pending");
}

static void set_range(json_t *o, const struct rule *rule)
{
	if (!rule_is_range(rule))
		return;
	set(o, "listen_port_end", json_integer(rule->listen_port_end));
	if (rule->legacy)
		set(o, "target_port_end",
		    json_integer(rule_target_port(rule, 0, rule->listen_port_end)));
}

/* The members that are there only when the rule sets them. */
static void set_options(json_t *o, const struct rule *rule)
{
	for (size_t i = 0; i < RULE_NUMBERS; i++)
		if (rule->fields & rule_numbers[i].field)
			set_u64(o, rule_numbers[i].name, rule_number_value(rule, &rule_numbers[i]));
	if (rule->listen_address)
		set(o, "listen_address", json_text(rule->listen_address));
	if (rule->relay)
		set(o, "relay", json_string(rule_relay_text(rule->relay)));
	if (rule->accept_proxy)
		set(o, "accept_proxy", json_string(rule_accept_text(rule->accept_proxy)));
	if (rule->health_check_proxy)
		set(o, "health_check_proxy", json_true());
	for (size_t i = 0; i < RULE_WORDS; i++)
		if (rule_word_value(rule, &rule_words[i]))
			set(o, rule_words[i].name,
			    json_text(rule_word_value(rule, &rule_words[i])));
	if (rule->sni_pattern)
		set(o, "sni_pattern", json_string(rule->sni_pattern));
	if (rule->fallback_non_tls)
		set(o, "fallback_non_tls", json_true());
	for (size_t i = 0; i < RULE_LISTS; i++)
		if (rule_list_value(rule, &rule_lists[i]))
			set(o, rule_lists[i].name,
			    rule_list_json(rule_list_value(rule, &rule_lists[i])));
	if (rule->fields & RULE_HAS_RATE_LIMIT)
		set(o, "rate_limit", rate_limit_to_json(&rule->limit));
	rule_balance_to_json(o, rule);
	set_range(o, rule);
}

json_t *encode_rule(const struct fleet_rule *r)
{
	const struct rule *rule = r->rule;
	json_t *o = json_pack("{s:I,s:s,s:o,s:i,s:o,s:i,s:b,s:s,s:o,s:o,s:o,s:o,s:o}", "id",
			      (json_int_t)rule->id, "client_id", r->client->id, "client_name",
			      json_text(r->client->name), "listen_port", rule->listen_port,
			      "target_host", json_text(rule->targets[0].host), "target_port",
			      rule->targets[0].port, "prefer_ipv6", rule->prefer_ipv6, "protocol",
			      protocol_text(rule), "state", encode_state(r), "created_at",
			      encode_time(r->created_ms), "last_state_change_at",
			      encode_time(r->changed_ms), "owner_user_id", json_text(rule->owner),
			      "targets", encode_targets(r));

	if (o)
		set_options(o, rule);
	return o;
}

bool encode_version(const struct fleet_rule *r, char out[ETAG_SIZE])
{
	json_t *o = encode_rule(r), *target;
	char *text = NULL;
	struct etag *e = etag_begin();
	char tag[ETAG_SIZE];
	size_t i;

	json_object_del(o, "state");
	json_object_del(o, "last_state_change_at");
	json_array_foreach (json_object_get(o, "targets"), i, target)
		json_object_del(target, "health");
	text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (!text || !e) {
		free(text);
		etag_drop(e);
		return false;
	}
	etag_add(e, text, strlen(text));
	etag_end(e, NULL, tag);
	snprintf(out, ETAG_SIZE, "%.*s", ETAG_VERSION, tag + 1);
	free(text);
	return true;
}

/* The few figures of a rule that its row in a list shows. */
static json_t *encode_row_stats(const struct fleet_rule *r)
{
	static const struct rule_figures none;
	const struct rule_figures *fig = r->figures ? r->figures : &none;
	json_t *drained = json_array();
	json_t *o = json_object();

	if (!o || !drained) {
		json_decref(o);
		json_decref(drained);
		return NULL;
	}
	for (uint32_t i = 0; i < fig->n_targets; i++)
		if (fig->targets[i].drained)
			json_array_append_new(drained, json_integer(fig->targets[i].index));
	set_u64(o, "bytes_in", fig->bytes_in);
	set_u64(o, "bytes_out", fig->bytes_out);
	set_u64(o, "active_connections", fig->active_connections);
	set_u64(o, "target_failovers_total", r->rule->n_targets > 1 ? fig->failovers : 0);
	set(o, "stale", json_boolean(fleet_is_stale(r)));
	set(o, "drained", drained);
	return o;
}

json_t *encode_rule_row(const struct fleet_rule *r, bool with_stats)
{
	json_t *o = encode_rule(r);

	if (o && with_stats)
		set(o, "stats", encode_row_stats(r));
	return o;
}

static bool encode_enforced(const struct fleet_rule *r)
{
	return !fleet_is_connected(r->client) || session_enforces_caps(r->client->session, r);
}

json_t *encode_pushed(const struct fleet_rule *r)
{
	const struct rule *rule = r->rule;
	json_t *o, *targets = encode_targets(r);
	char status[160];
	json_t *row;
	size_t i;

	json_array_foreach (targets, i, row)
		json_object_del(row, "health");
	utf8_format(status, sizeof(status), "%s%s",
		    r->state == FLEET_ACTIVE	? "Active"
		    : r->state == FLEET_PENDING ? "Pending"
						: "Failed:",
		    r->state == FLEET_FAILED ? r->reason : "");
	o = json_pack("{s:I,s:s,s:o,s:b,s:s,s:o,s:o,s:i,s:n,s:o,s:n}", "rule_id",
		      (json_int_t)rule->id, "status", status, "target_host",
		      json_text(rule->targets[0].host), "prefer_ipv6", rule->prefer_ipv6,
		      "protocol", protocol_text(rule), "owner", json_text(rule->owner), "client",
		      json_text(r->client->name), "listen_port", rule->listen_port,
		      "listen_port_end", "targets", targets, "health_check_interval_secs");
	if (o)
		set_options(o, rule);
	/* An existing edge that the caps came too late for. */
	if (o && !encode_enforced(r)) {
		set(o, "enforced", json_false());
		set(o, "enforced_reason", json_string("edge_needs_reconnect"));
	}
	return o;
}

static const char *basis_text(enum figures_basis basis)
{
	return basis == BASIS_ACKED ? "acked" : basis == BASIS_WRITTEN ? "written" : "unknown";
}

static json_t *encode_kernel(bool has, const struct kernel_figures *k)
{
	json_t *o, *hist;

	if (!has)
		return json_null();
	o = json_pack("{s:s}", "basis", basis_text(k->basis));
	hist = json_array();
	if (!o || !hist)
		return o;
	set_u64(o, "bytes_in", k->bytes_in);
	set_u64(o, "bytes_out", k->bytes_out);
	set_u64(o, "received_in", k->received_in);
	set_u64(o, "received_out", k->received_out);
	set_u64(o, "connects_attempted", k->attempted);
	set_u64(o, "connects_ok", k->ok);
	set_u64(o, "connects_failed", k->failed);
	set_u64(o, "connects_timed_out", k->timed_out);
	set_u64(o, "connects_abandoned", k->abandoned);
	set_u64(o, "connects_pending", k->pending);
	set_u64(o, "active", k->active);
	set_u64(o, "resets", k->resets);
	set_u64(o, "retransmits", k->retransmits);
	set_u64(o, "srtt_us", k->srtt_us);
	set_u64(o, "connect_us_sum", k->connect_us_sum);
	set_u64(o, "connect_us_max", k->connect_us_max);
	for (int i = 0; i < FIGURES_HIST; i++)
		json_array_append_new(hist, json_integer(number(k->connect_hist[i])));
	set(o, "connect_us_log2", hist);
	set(o, "last_errno", json_integer(k->last_errno));
	return o;
}

static json_t *encode_target_stats(const struct fleet_rule *r, unsigned index)
{
	static const struct target_figures none;
	const struct rule_target *t = &r->rule->targets[index];
	const struct target_figures *fig = figures_of(r, index);
	json_t *o = json_pack("{s:I,s:o,s:i,s:I}", "index", (json_int_t)index, "host",
			      json_text(t->host), "port", t->port, "priority",
			      (json_int_t)t->priority);

	if (!fig)
		fig = &none;
	if (!o)
		return NULL;
	set_u64(o, "health", fig->failed);
	set_u64(o, "consecutive_failures", fig->consecutive_failures);
	set_u64(o, "last_failure_at_unix_ms", fig->last_failure_ms);
	set_u64(o, "last_success_at_unix_ms", fig->last_success_ms);
	set_u64(o, "bytes_in", fig->bytes_in);
	set_u64(o, "bytes_out", fig->bytes_out);
	set_u64(o, "connections_accepted", fig->accepted);
	set_u64(o, "health_since_unix_ms", fig->health_since_ms);
	set_u64(o, "next_check_unix_ms", fig->next_check_ms);
	set(o, "drained", json_boolean(fig->drained));
	set(o, "takes_new", json_boolean(fig->takes_new));
	set_u64(o, "weight", rule_weight(t));
	set(o, "cause", fig->cause[0] ? json_text(fig->cause) : json_null());
	set(o, "kernel", encode_kernel(fig->has_kernel, &fig->kernel));
	return o;
}

static json_t *encode_caps(const struct fleet_rule *r, const struct rule_figures *fig)
{
	json_t *o, *refused = json_object();

	for (unsigned i = 0; i < CAPS_REFUSALS; i++)
		if (i < REFUSAL_OWNER_CONCURRENT || fig->caps.refused[i])
			set_u64(refused, caps_refusal_text(i), fig->caps.refused[i]);
	o = json_pack("{s:o*,s:f,s:f}", "reject", refused, "throttle_seconds_in",
		      (double)fig->caps.throttled_us_in / 1e6, "throttle_seconds_out",
		      (double)fig->caps.throttled_us_out / 1e6);
	if (!o)
		return NULL;
	set_u64(o, "datagrams_dropped", fig->caps.datagrams_dropped);
	set_u64(o, "active_connections", fig->caps.active_connections);
	set(o, "limits", rate_limit_to_json(&r->rule->limit));
	set(o, "enforced", json_boolean(encode_enforced(r)));
	return o;
}

json_t *encode_stats(const struct fleet_rule *r, unsigned flags)
{
	static const struct rule_figures none;
	const struct rule_figures *fig = r->figures ? r->figures : &none;
	json_t *list, *o = json_pack("{s:I,s:o}", "rule_id", (json_int_t)r->rule->id, "client_name",
				     json_text(r->client->name));

	if (!o)
		return NULL;
	set_u64(o, "bytes_in", fig->bytes_in);
	set_u64(o, "bytes_out", fig->bytes_out);
	set_u64(o, "active_connections", fig->active_connections);
	set_u64(o, "dns_failures", fig->dns_failures);
	set_u64(o, "datagrams_in", fig->datagrams_in);
	set_u64(o, "datagrams_out", fig->datagrams_out);
	set_u64(o, "active_flows", fig->active_flows);
	set_u64(o, "flows_dropped_overflow", fig->flows_dropped);
	/* What existing edges do not report. */
	if (r->rule->protocol == RULE_UDP) {
		set_u64(o, "flows_pending_drops", fig->flows_pending_drops);
		set_u64(o, "flows_moved", fig->flows_moved);
	}
	if (sni_is_routed(r)) {
		set_u64(o, "sni_route_exact_total", fig->sni_exact);
		set_u64(o, "sni_route_wildcard_total", fig->sni_wildcard);
		set_u64(o, "sni_route_fallback_total", fig->sni_fallback);
	}
	/* A single target has no failover counter, whatever an existing edge reports. */
	set_u64(o, "target_failovers_total", r->rule->n_targets > 1 ? fig->failovers : 0);
	set(o, "updated_at", encode_time(r->figures ? r->report_wall_ms : r->created_ms));
	set(o, "stale", json_boolean(fleet_is_stale(r)));
	set_u64(o, "report_age_ms", fleet_report_age_ms(r));
	set_u64(o, "hedge_wins", fig->hedge_wins);
	set_u64(o, "denied", fig->denied);
	set(o, "kernel", encode_kernel(fig->has_kernel, &fig->kernel));
	if ((r->rule->fields & RULE_HAS_RATE_LIMIT) || fig->has_caps)
		set(o, "rate_limit", encode_caps(r, fig));
	if (flags & STATS_PROTOCOL)
		set(o, "protocol", json_string(protocol_text(r->rule)));
	if (flags & STATS_PER_TARGET) {
		list = json_array();
		for (unsigned i = 0; r->rule->n_targets > 1 && i < r->rule->n_targets; i++)
			json_array_append_new(list, encode_target_stats(r, i));
		set(o, "per_target", list);
	}
	return o;
}

json_t *encode_ports(const struct fleet_rule *r, uint64_t from, uint64_t to)
{
	json_t *list = r->n_ports ? json_array() : NULL;

	for (uint32_t i = 0; list && i < r->n_ports; i++) {
		const struct port_figures *p = &r->ports[i];
		json_t *o;

		if (p->port < from || p->port > to)
			continue;
		o = json_pack("{s:i}", "listen_port", p->port);
		set_u64(o, "bytes_in", p->bytes_in);
		set_u64(o, "bytes_out", p->bytes_out);
		set_u64(o, "active_connections", p->active_connections);
		set_u64(o, "datagrams_in", p->datagrams_in);
		set_u64(o, "datagrams_out", p->datagrams_out);
		set(o, "updated_at", encode_time(r->ports_wall_ms));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *encode_client(const struct fleet_client *c)
{
	struct fleet_session_info s = {.connected_ms = 0};
	bool connected = fleet_session_info(c, &s);
	json_t *o = json_pack("{s:s,s:o,s:o,s:o,s:b,s:o}", "client_id", c->id, "client_name",
			      json_text(c->name), "provisioned_at", encode_time(c->provisioned_ms),
			      "revoked_at", encode_time(c->revoked_ms), "connected", connected,
			      "client_address", json_text_or_null(c->address));

	if (!o)
		return NULL;
	set(o, "remote_addr", json_text_or_null(s.remote_addr));
	set(o, "connected_at", encode_time(s.connected_ms));
	set(o, "version", json_text_or_null(s.version));
	set(o, "accounting", json_text_or_null(s.accounting));
	set(o, "last_seen_at", encode_time(c->last_seen_ms));
	/* Two hosts have this edge's bundle: when the other one was last turned away, and who it is. */
	set(o, "shared_credential_at", encode_time(c->contest.seen_ms));
	set(o, "shared_credential_addr", json_text_or_null(c->contest.remote_addr));
	return o;
}
