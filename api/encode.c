// SPDX-License-Identifier: MIT
/* The JSON bodies of rules, their figures, and clients. */
#include "api/encode.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

json_t *encode_time(uint64_t unix_ms)
{
	time_t secs = (time_t)(unix_ms / 1000);
	char text[40], day[24];
	struct tm tm;

	if (!unix_ms)
		return json_null();
	gmtime_r(&secs, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03uZ", day, (unsigned)(unix_ms % 1000));
	return json_string(text);
}

static int set(json_t *o, const char *key, json_t *value)
{
	return json_object_set_new(o, key, value);
}

static int set_u64(json_t *o, const char *key, uint64_t value)
{
	return json_object_set_new(o, key, json_integer((json_int_t)value));
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
	return json_pack("{s:b,s:I,s:I,s:I}", "healthy", !t->failed, "consecutive_failures",
			 (json_int_t)t->consecutive_failures, "last_failure_at_unix_ms",
			 (json_int_t)t->last_failure_ms, "last_success_at_unix_ms",
			 (json_int_t)t->last_success_ms);
}

static json_t *encode_targets(const struct fleet_rule *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; list && i < r->rule->n_targets; i++) {
		const struct rule_target *t = &r->rule->targets[i];
		/* A single target has no health state, whichever way it was pushed. */
		const struct target_figures *fig = r->rule->n_targets > 1 ? figures_of(r, i) : NULL;

		json_array_append_new(list,
				      json_pack("{s:s,s:i,s:I,s:n,s:o}", "host", t->host, "port",
						t->port, "priority", (json_int_t)t->priority,
						"proxy_protocol", "health", encode_health(fig)));
	}
	return list;
}

static json_t *encode_state(const struct fleet_rule *r)
{
	if (r->state == FLEET_FAILED)
		return json_pack("{s:s,s:s}", "kind", "failed", "reason", r->reason);
	return json_pack("{s:s}", "kind", r->state == FLEET_ACTIVE ? "active" : "pending");
}

/* The members that are there only when the rule sets them. */
static void set_options(json_t *o, const struct rule *rule)
{
	if (rule->fields & RULE_HAS_PROBE_INTERVAL)
		set_u64(o, "health_check_interval_secs", rule->probe_interval_secs);
	if (rule->fields & RULE_HAS_CONNECT_TIMEOUT)
		set_u64(o, "connect_timeout_ms", rule->connect_timeout_ms);
	if (rule->fields & RULE_HAS_HEDGE_DELAY)
		set_u64(o, "hedge_delay_ms", rule->hedge_delay_ms);
	if (rule->fields & RULE_HAS_IDLE_TIMEOUT)
		set_u64(o, "idle_timeout_secs", rule->idle_timeout_secs);
	if (rule->listen_address)
		set(o, "listen_address", json_string(rule->listen_address));
}

json_t *encode_rule(const struct fleet_rule *r)
{
	const struct rule *rule = r->rule;
	json_t *o = json_pack("{s:I,s:s,s:s,s:i,s:s,s:i,s:b,s:s,s:o,s:o,s:o,s:s,s:o}", "id",
			      (json_int_t)rule->id, "client_id", r->client->id, "client_name",
			      r->client->name, "listen_port", rule->listen_port, "target_host",
			      rule->targets[0].host, "target_port", rule->targets[0].port,
			      "prefer_ipv6", rule->prefer_ipv6, "protocol", protocol_text(rule),
			      "state", encode_state(r), "created_at", encode_time(r->created_ms),
			      "last_state_change_at", encode_time(r->changed_ms), "owner_user_id",
			      rule->owner, "targets", encode_targets(r));

	if (o)
		set_options(o, rule);
	return o;
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

json_t *encode_pushed(const struct fleet_rule *r)
{
	const struct rule *rule = r->rule;
	json_t *o, *targets = encode_targets(r);
	char status[160];
	json_t *row;
	size_t i;

	json_array_foreach (targets, i, row)
		json_object_del(row, "health");
	snprintf(status, sizeof(status), "%s%s",
		 r->state == FLEET_ACTIVE    ? "Active"
		 : r->state == FLEET_PENDING ? "Pending"
					     : "Failed:",
		 r->state == FLEET_FAILED ? r->reason : "");
	o = json_pack("{s:I,s:s,s:s,s:b,s:s,s:s,s:s,s:i,s:n,s:o,s:n}", "rule_id",
		      (json_int_t)rule->id, "status", status, "target_host", rule->targets[0].host,
		      "prefer_ipv6", rule->prefer_ipv6, "protocol", protocol_text(rule), "owner",
		      rule->owner, "client", r->client->name, "listen_port", rule->listen_port,
		      "listen_port_end", "targets", targets, "health_check_interval_secs");
	if (o)
		set_options(o, rule);
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
		json_array_append_new(hist, json_integer((json_int_t)k->connect_hist[i]));
	set(o, "connect_us_log2", hist);
	set(o, "last_errno", json_integer(k->last_errno));
	return o;
}

static json_t *encode_target_stats(const struct fleet_rule *r, unsigned index)
{
	static const struct target_figures none;
	const struct rule_target *t = &r->rule->targets[index];
	const struct target_figures *fig = figures_of(r, index);
	json_t *o = json_pack("{s:I,s:s,s:i,s:I}", "index", (json_int_t)index, "host", t->host,
			      "port", t->port, "priority", (json_int_t)t->priority);

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
	set(o, "kernel", encode_kernel(fig->has_kernel, &fig->kernel));
	return o;
}

json_t *encode_stats(const struct fleet_rule *r, unsigned flags)
{
	static const struct rule_figures none;
	const struct rule_figures *fig = r->figures ? r->figures : &none;
	json_t *list, *o = json_pack("{s:I,s:s}", "rule_id", (json_int_t)r->rule->id, "client_name",
				     r->client->name);

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
	/* A single target has no failover counter, whatever an existing edge reports. */
	set_u64(o, "target_failovers_total", r->rule->n_targets > 1 ? fig->failovers : 0);
	set(o, "updated_at", encode_time(r->figures ? r->report_wall_ms : r->created_ms));
	set(o, "stale", json_boolean(fleet_is_stale(r)));
	set_u64(o, "report_age_ms", fleet_report_age_ms(r));
	set_u64(o, "hedge_wins", fig->hedge_wins);
	set(o, "kernel", encode_kernel(fig->has_kernel, &fig->kernel));
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

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

json_t *encode_client(const struct fleet_client *c)
{
	struct fleet_session_info s = {.connected_ms = 0};
	bool connected = fleet_session_info(c, &s);
	json_t *o = json_pack("{s:s,s:s,s:o,s:o,s:b,s:o}", "client_id", c->id, "client_name",
			      c->name, "provisioned_at", encode_time(c->provisioned_ms),
			      "revoked_at", encode_time(c->revoked_ms), "connected", connected,
			      "client_address", text_or_null(c->address));

	if (!o)
		return NULL;
	set(o, "remote_addr", text_or_null(s.remote_addr));
	set(o, "connected_at", encode_time(s.connected_ms));
	set(o, "version", text_or_null(s.version));
	set(o, "accounting", text_or_null(s.accounting));
	set(o, "last_seen_at", encode_time(c->last_seen_ms));
	return o;
}
