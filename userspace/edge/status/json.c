// SPDX-License-Identifier: MIT
/* The local view's answers as JSON: rules with their targets, connections, the edge itself. */
#include "edge/status/json.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "edge/kernelrelay/kernelrelay.h"
#include "edge/rules/apply.h"
#include "edge/rules/sni.h"
#include "edge/rules/table.h"
#include "edge/control/control.h"
#include "edge/watch/report.h"
#include "edge/status/caps_json.h"
#include "edge/status/config.h"
#include "edge/status/conns.h"
#include "edge/status/usage.h"
#include "edge/target/path.h"
#include "edge/watch/flows.h"
#include "edge/worker/worker.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/rule/rule.h"
#include "lib/rule/span.h"

#define get(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

/* A member that is missing for want of memory is found by the caller's one check at the end. */
static void put(json_t *o, const char *key, uint64_t value)
{
	json_object_set_new_nocheck(o, key, json_integer((json_int_t)value));
}

static void put_text(json_t *o, const char *key, const char *text)
{
	json_object_set_new_nocheck(o, key, text ? json_string(text) : json_null());
}

static void put_bool(json_t *o, const char *key, bool value)
{
	json_object_set_new_nocheck(o, key, json_boolean(value));
}

static void put_figures(json_t *o, const struct account_record *r, unsigned kinds)
{
	size_t n;
	const struct account_figure *f = account_figures(&n);

	for (const struct account_figure *end = f + n; f < end; f++) {
		const uint64_t *value = (const uint64_t *)((const char *)r + f->at);
		json_t *array;

		if (!(f->kind & kinds))
			continue;
		if (f->n == 1) {
			put(o, f->name, *value);
			continue;
		}
		array = json_array();
		for (size_t i = 0; i < f->n; i++)
			json_array_append_new(array, json_integer((json_int_t)value[i]));
		json_object_set_new_nocheck(o, f->name, array);
	}
}

/* A target's figures, or without those that do not add up the sum of several. */
static json_t *kernel_json(const struct account_record *r, bool sum)
{
	json_t *o = json_object();

	put_figures(o, r, ACCOUNT_FIGURE_SUM | ACCOUNT_FIGURE_MAX);
	if (!sum)
		put_figures(o, r, ACCOUNT_FIGURE_LATEST);
	put_figures(o, r, ACCOUNT_FIGURE_HISTOGRAM);
	if (!sum)
		put_figures(o, r, ACCOUNT_FIGURE_ERROR);
	return o;
}

static json_t *target_json(const struct target_report *t, unsigned row)
{
	json_t *o = json_object(), *attempts = json_object(), *kernel;

	put(o, "index", row);
	put_text(o, "host", t->host);
	put(o, "port", t->port);
	put(o, "priority", t->priority);
	put(o, "health", t->health.state == HEALTH_FAILED);
	put(o, "consecutive_failures", t->health.consecutive_failures);
	put(o, "last_failure_at_unix_ms", t->health.last_failure_unix_ms);
	put(o, "last_success_at_unix_ms", t->health.last_success_unix_ms);
	put(o, "health_since_unix_ms", t->health.since_unix_ms);
	put(o, "next_check_unix_ms", t->health.next_check_unix_ms);
	put_text(o, "last_error",
		 t->health.last_error ? health_cause_text(t->health.last_error) : NULL);
	put(o, "bytes_in", t->bytes_in);
	put(o, "bytes_out", t->bytes_out);
	put(o, "connections_accepted", t->carried);
	put(o, "active_connections", t->active);
	put_bool(o, "drained", t->drained);
	put_bool(o, "takes_new", t->takes_new);
	put(o, "weight", t->weight);
	put(o, "usual_connect_us", t->connect_us);
	put(attempts, "attempted", t->attempted);
	put(attempts, "ok", t->ok);
	put(attempts, "failed", t->failed);
	put(attempts, "timed_out", t->timed_out);
	put(attempts, "abandoned", t->abandoned);
	put(attempts, "pending", t->pending);
	put(attempts, "local_errors", t->local_errors);
	json_object_set_new(o, "attempts", attempts);
	kernel = kernel_json(&t->kernel, false);
	put(kernel, "slot", t->slot);
	json_object_set_new(o, "kernel", kernel);
	return o;
}

static json_t *current_json(const struct rule_report *r)
{
	int row = r->current;
	json_t *o;

	if (row < 0)
		return json_null();
	o = json_object();
	put(o, "index", (unsigned)row);
	put_text(o, "host", r->target[row].host);
	put(o, "port", r->target[row].port);
	return o;
}

static json_t *ended_json(const struct rule_report *r)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < END_REASONS; i++)
		put(o, end_reason_text(i), r->ended[i]);
	return o;
}

/* Only of a rule that wants the kernel. */
static json_t *path_json(const struct rule_report *r)
{
	json_t *o = json_object(), *kept = json_object();

	put_text(o, "asked", rule_relay_text(r->rule->relay));
	put(o, "handed_over", r->handed_over);
	put(o, "in_kernel", r->in_kernel);
	for (unsigned i = PATH_ASKED; i < PATH_REASONS; i++)
		if (r->kept[i])
			put(kept, path_reason_text(i), r->kept[i]);
	json_object_set_new(o, "kept", kept);
	return o;
}

static void put_flows(json_t *o, const struct rule_report *r)
{
	put(o, "active_flows", r->flows);
	put(o, "datagrams_in", r->datagrams_in);
	put(o, "datagrams_out", r->datagrams_out);
	put(o, "flows_dropped_overflow", r->flows_dropped);
	put(o, "flows_pending_drops", r->flows_pending_drops);
	put(o, "flows_moved", r->flows_moved);
	put(o, "send_dropped", r->send_dropped);
}

static void put_routes(json_t *o, const struct rule_report *r)
{
	put_text(o, "sni_pattern", r->rule->sni_pattern);
	if (!r->rule->sni_pattern)
		put_bool(o, "fallback_non_tls", r->rule->fallback_non_tls);
	put(o, "sni_route_exact_total", r->sni_exact);
	put(o, "sni_route_wildcard_total", r->sni_wildcard);
	put(o, "sni_route_fallback_total", r->sni_fallback);
}

json_t *status_sni_json(const struct sni_group_view *v)
{
	json_t *o = json_object(), *routes = json_array(), *buckets = json_array(), *route;

	put(o, "port", v->port);
	json_object_set_new(o, "fallback_rule_id", json_null());
	for (size_t i = 0; i < v->n; i++) {
		if (!v->members[i].pattern) {
			put(o, "fallback_rule_id", v->members[i].rule_id);
			continue;
		}
		route = json_object();
		put_text(route, "pattern", v->members[i].pattern);
		put(route, "rule_id", v->members[i].rule_id);
		json_array_append_new(routes, route);
	}
	json_object_set_new(o, "routes", routes);
	put(o, "parse_failures_total", v->sums.failed);
	put(o, "route_miss_total", v->sums.missed);
	put(o, "peek_rejected_total", v->sums.rejected);
	put(o, "peek_count", v->sums.n);
	put(o, "peek_sum_us", v->sums.took_us);
	for (unsigned i = 0; i < SNI_BUCKETS; i++)
		json_array_append_new(buckets, json_integer((json_int_t)v->sums.bucket[i]));
	json_object_set_new(o, "peek_buckets", buckets);
	return o;
}

json_t *status_rule_json(const struct rule_report *r, bool per_target)
{
	json_t *o = json_object(), *kernel, *rows;

	put(o, "rule_id", r->rule_id);
	put(o, "listen_port", r->rule->listen_port);
	if (rule_is_range(r->rule)) {
		put(o, "listen_port_end", r->rule->listen_port_end);
		put_text(o, "listen_by", r->steered ? "sk_lookup" : "sockets");
	}
	put_text(o, "protocol", r->rule->protocol == RULE_UDP ? "udp" : "tcp");
	put_text(o, "listen_address", r->rule->listen_address);
	if (r->rule->listen_interface)
		put_text(o, "listen_interface", r->rule->listen_interface);
	put_text(o, "state", r->status == RULE_ACTIVE ? "active" : "failed");
	put_text(o, "reason", r->status == RULE_ACTIVE ? "" : r->reason);
	put_bool(o, "unconfirmed", r->unconfirmed);
	put(o, "targets", r->n);
	put(o, "targets_healthy", report_healthy(r));
	put_text(o, "balance", rule_balance_text(r->rule->balance));
	put_text(o, "failback", r->rule->manual_failback ? "manual" : "auto");
	json_object_set_new(o, "current", current_json(r));
	put(o, "targets_taking_new", report_taking_new(r));
	put(o, "bytes_in", r->bytes_in);
	put(o, "bytes_out", r->bytes_out);
	put(o, "active_connections", r->active);
	put(o, "connections_accepted", r->accepted);
	put(o, "dns_failures", r->dns_failures);
	put(o, "target_failovers_total", r->failovers);
	put(o, "hedged", r->hedged);
	put(o, "untagged", r->untagged);
	json_object_set_new(o, "ended", ended_json(r));
	if (rule_relay_wanted(r->rule) || r->handed_over)
		json_object_set_new(o, "path", path_json(r));
	if (r->rule->protocol == RULE_UDP)
		put_flows(o, r);
	if (r->limited)
		json_object_set_new(o, "rate_limit", status_caps_json(&r->rule->limit, &r->caps));
	if (r->routed)
		put_routes(o, r);
	kernel = kernel_json(&r->kernel, true);
	put_text(kernel, "basis", r->basis == ACCOUNT_BPF ? "acked" : "written");
	json_object_set_new(o, "kernel", kernel);
	if (!per_target)
		return o;
	rows = json_array();
	for (unsigned i = 0; i < r->n; i++)
		json_array_append_new(rows, target_json(&r->target[i], i));
	json_object_set_new(o, "per_target", rows);
	return o;
}

json_t *status_ports_json(const struct rule_state *rs)
{
	const struct rule_totals *t = rs->service->totals;
	json_t *rows = rule_is_range(rs->service->rule) ? json_array() : NULL;

	for (unsigned port = 1; rows && port <= UINT16_MAX; port++) {
		struct port_sums sums;
		json_t *o;

		if (!port_counts_sum(get(t->ports), t->n_cells, (uint16_t)port, &sums))
			continue;
		o = json_object();
		put(o, "listen_port", port);
		put(o, "bytes_in", sums.bytes_in);
		put(o, "bytes_out", sums.bytes_out);
		put(o, "active_connections", sums.active);
		put(o, "datagrams_in", sums.datagrams_in);
		put(o, "datagrams_out", sums.datagrams_out);
		json_array_append_new(rows, o);
	}
	return rows;
}

static void put_addr(json_t *o, const char *key, const union addr *a)
{
	char text[ADDR_TEXT_MAX];

	put_text(o, key, a->sa.sa_family ? addr_text(a, text, sizeof(text)) : NULL);
}

json_t *status_conn_json(const struct conn_row *row)
{
	json_t *o = json_object();
	char name[300];

	put(o, "rule_id", row->rule_id);
	put(o, "listen_port", row->listen_port);
	if (row->target)
		snprintf(name, sizeof(name), "%s:%u", row->target->host, row->target->port);
	put_text(o, "target", row->target ? name : NULL);
	json_object_set_new(o, "index", row->row < 0 ? json_null() : json_integer(row->row));
	put_addr(o, "target_address", &row->to);
	put_addr(o, "client", &row->client);
	put_text(o, "state", row->target ? "relaying" : "dialling");
	put(o, "age_ms", row->age_ms);
	put(o, "bytes_in", row->bytes_in);
	put(o, "bytes_out", row->bytes_out);
	put(o, "rtt_client_us", row->rtt_client_us);
	put(o, "rtt_target_us", row->rtt_target_us);
	json_object_set_new(o, "path", json_string(row->path == PATH_KERNEL ? "kernel" : "user"));
	json_object_set_new(o, "path_reason",
			    row->path == PATH_KERNEL ? json_null()
						     : json_string(path_reason_text(row->path)));
	put(o, "retransmits_client", row->retransmits_client);
	put(o, "retransmits_target", row->retransmits_target);
	put(o, "unacked_client", row->unacked_client);
	put(o, "unacked_target", row->unacked_target);
	return o;
}

json_t *status_flow_json(const struct flow_row *row)
{
	json_t *o = json_object();
	char name[300];

	put(o, "rule_id", row->rule_id);
	put(o, "listen_port", row->listen_port);
	put_addr(o, "client", &row->client);
	if (row->target)
		snprintf(name, sizeof(name), "%s:%u", row->target->host, row->target->port);
	put_text(o, "target", row->target ? name : NULL);
	put(o, "age_ms", row->age_ms);
	put(o, "idle_ms", row->idle_ms);
	put(o, "datagrams_in", row->datagrams_in);
	put(o, "datagrams_out", row->datagrams_out);
	put(o, "bytes_in", row->bytes_in);
	put(o, "bytes_out", row->bytes_out);
	return o;
}

static void count_rule(struct rule_state *rs, void *arg)
{
	unsigned *n = arg;

	n[rs->status == RULE_FAILED]++;
}

/* Ports that route by server name, and the names. */
static void count_names(const struct sni_group_view *v, void *arg)
{
	unsigned *n = arg;

	n[0]++;
	for (size_t i = 0; i < v->n; i++)
		n[1] += v->members[i].pattern != NULL;
}

/* NULL without a server. */
static json_t *server_json(const struct control *control)
{
	struct control_view v;
	json_t *o;

	if (!control)
		return json_null();
	control_view(control, &v);
	o = json_object();
	put_text(o, "endpoint", v.server);
	put_text(o, "state", v.connected ? "connected" : v.revoked ? "revoked" : "disconnected");
	put(o, "since_unix_ms", v.since_unix_ms);
	put_text(o, "version", v.server_version);
	put_text(o, "last_error", v.last_error);
	put(o, "unconfirmed_rules", v.unconfirmed);
	return o;
}

json_t *status_self_json(const struct status_config *c)
{
	json_t *o = json_object(), *rules = json_object(), *fds = json_object();
	uint64_t pauses = 0, refused = 0, stalls = 0;
	json_t *share = json_array();
	bool copying = false;
	unsigned n[2] = {0}, names[2] = {0};
	const struct selector *selector = c->workers[0].config.selector;

	for (unsigned i = 0; i < c->n_workers; i++) {
		json_array_append_new(share, json_integer(get(c->workers[i].conns.n)));
		pauses += get(c->workers[i].listening.pauses);
		stalls += get(c->workers[i].stalls);
		refused += get(c->workers[i].pipes_refused);
		copying |= atomic_load(&c->workers[i].conns.relay.no_splice);
	}
	rule_table_each(c->table, count_rule, n);
	put_text(o, "version", PORTUNUS_VERSION);
	put(o, "pid", (uint64_t)getpid());
	put_text(o, "instance", c->instance);
	put(o, "started_at_unix_ms", c->started_unix_ms);
	put(o, "uptime_secs", (clock_mono_ns() - c->started_ns) / NS_PER_SEC);
	put(o, "workers", c->n_workers);
	json_object_set_new(o, "worker_connections", share);
	put_text(o, "accounting", account_mode_text(c->account));
	put_text(o, "accounting_reason", account_reason(c->account));
	put_text(o, "balance", selector_by_load(selector) ? "load" : "hash");
	put_text(o, "balance_reason", selector->reason);
	put_text(o, "relay", copying ? "copy" : "splice");
	put_text(o, "kernel_relay", kernel_relay_text(c->kernel));
	put_text(o, "kernel_relay_reason", kernel_relay_reason(c->kernel));
	put(rules, "active", n[0]);
	put(rules, "failed", n[1]);
	json_object_set_new(o, "rules", rules);
	json_object_set_new(o, "owners", status_owners_json(&c->table->owners));
	sni_each(c->table, count_names, names);
	put(o, "sni_ports", names[0]);
	put(o, "sni_names", names[1]);
	put(o, "connections", rule_table_connections(c->table));
	put(fds, "open", usage_open_fds());
	put(fds, "limit", usage_fd_limit());
	json_object_set_new(o, "fds", fds);
	put(o, "worker_stalls", stalls);
	put(o, "accept_pauses", pauses);
	put(o, "pipes_refused", refused);
	put_text(o, "rules_from", c->rules_from);
	json_object_set_new(o, "server", server_json(c->control));
	put(o, "rss_bytes", usage_rss_bytes());
	put_text(o, "sandbox", c->sandbox);
	put(o, "log_dropped", log_dropped());
	return o;
}

json_t *status_error_json(const char *code, const char *message)
{
	json_t *o = json_object(), *e = json_object();

	put_text(e, "code", code);
	put_text(e, "message", message);
	json_object_set_new(o, "error", e);
	return o;
}
