// SPDX-License-Identifier: MIT
/* The lines of the stats socket. */
#include "standalone/feed_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "edge/flow/limits.h"
#include "edge/rules/table.h"
#include "edge/status/usage.h"
#include "edge/watch/report.h"
#include "lib/base/clock.h"
#include "lib/rule/rule.h"
#include "lib/rule/span.h"
#include "standalone/config.h"

#define FEED_VERSION 1

static void put(json_t *o, const char *key, uint64_t value)
{
	json_object_set_new_nocheck(o, key, json_integer((json_int_t)value));
}

static void put_text(json_t *o, const char *key, const char *text)
{
	json_object_set_new_nocheck(o, key, text ? json_string(text) : json_null());
}

/* As text, for a hash goes beyond what JSON numbers hold exactly. */
static void put_id(json_t *o, const struct config_rule *as)
{
	char id[24];

	snprintf(id, sizeof(id), "%" PRIu64, as->shown_id);
	put_text(o, "id", id);
}

/* ---- the greeting ---- */

static json_t *target_json(const struct rule *r, unsigned row)
{
	const struct rule_target *t = &r->targets[row];
	json_t *o = json_object();

	put_text(o, "host", t->host);
	put(o, "port", t->port);
	put(o, "priority", t->priority);
	put_text(o, "proxy_protocol", rule_proxy_text(t->proxy));
	return o;
}

static json_t *rule_json(const struct config_rule *as, const struct rule *r)
{
	json_t *o = json_object(), *targets = json_array();
	char listen[16];

	if (rule_is_range(r))
		snprintf(listen, sizeof(listen), "%u-%u", r->listen_port, r->listen_port_end);
	else
		snprintf(listen, sizeof(listen), "%u", r->listen_port);
	put_id(o, as);
	put_text(o, "name", as->name);
	put_text(o, "proto", r->protocol == RULE_UDP ? "udp" : "tcp");
	put_text(o, "listen", listen);
	for (unsigned i = 0; i < r->n_targets; i++)
		json_array_append_new(targets, target_json(r, i));
	json_object_set_new(o, "targets", targets);
	json_object_set_new(o, "splice_capable", json_boolean(r->protocol == RULE_TCP));
	json_object_set_new(o, "udp_max_flows",
			    r->protocol != RULE_UDP		 ? json_null()
			    : r->fields & RULE_HAS_UDP_MAX_FLOWS ? json_integer(r->udp_max_flows)
								 : json_integer(FLOWS_PER_RULE));
	/* Beyond the contract: the number by which the verbs of portunus-client know the rule. */
	put(o, "rule_id", as->id);
	return o;
}

char *feed_hello(const struct config *c, struct rule_table *t, uint64_t started_unix_ms)
{
	json_t *o = json_object(), *rules = json_array();
	char *text;

	put(o, "v", FEED_VERSION);
	put_text(o, "daemon_version", PORTUNUS_VERSION);
	put(o, "daemon_started_at_ms", started_unix_ms);
	put(o, "refresh_ms", c->settings.refresh_ms);
	for (size_t i = 0; i < c->n; i++) {
		const struct rule_state *rs = rule_table_find(t, c->names[i].id);

		if (rs)
			json_array_append_new(rules, rule_json(&c->names[i], rs->service->rule));
	}
	json_object_set_new(o, "rules", rules);
	put_text(o, "label", c->settings.label);
	json_object_set_new(o, "supports", json_pack("[s]", "targets"));
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

/* ---- figures ---- */

static json_t *errors_json(const struct rule_report *r)
{
	uint64_t connects = 0;
	json_t *o = json_object();

	for (unsigned i = 0; i < r->n; i++)
		connects += r->target[i].failed + r->target[i].timed_out;
	put(o, "port_in_use",
	    r->status != RULE_ACTIVE && !strncmp(r->reason, "port_in_use", strlen("port_in_use")));
	put(o, "upstream_connect_failed", connects);
	put(o, "icmp_evict", r->flows_moved);
	put(o, "emsgsize", 0);
	put(o, "wouldblock", 0);
	put(o, "addflow_dropped", 0);
	put(o, "flows_pending_drops", r->flows_pending_drops);
	/* The rule's caps count datagrams of both directions as one. */
	put(o, "bandwidth_dropped_in", r->caps.dropped);
	put(o, "bandwidth_dropped_out", 0);
	put(o, "send_dropped", r->send_dropped);
	put(o, "dns_failures", r->dns_failures);
	put(o, "flows_dropped_overflow", r->flows_dropped);
	return o;
}

static json_t *row_json(const struct target_report *t)
{
	json_t *o = json_object();

	put_text(o, "health", t->health.state == HEALTH_FAILED ? "Failed" : "Healthy");
	put(o, "since_ms", t->health.since_unix_ms);
	put(o, "in", t->bytes_in);
	put(o, "out", t->bytes_out);
	put(o, "conns", t->active);
	put(o, "last_errno", t->kernel.last_errno);
	put(o, "srtt_us", t->kernel.srtt_us ? t->kernel.srtt_us : t->connect_us);
	return o;
}

char *feed_figures(const struct config_rule *as, struct rule_table *t, struct account *a)
{
	struct rule_state *rs = rule_table_find(t, as->id);
	json_t *o, *targets;
	struct rule_report r;
	char *text;

	if (!rs)
		return NULL;
	report_rule(a, rs, &r);
	o = json_object();
	targets = json_array();
	put_id(o, as);
	put(o, "in", r.bytes_in);
	put(o, "out", r.bytes_out);
	put(o, "conns_active", r.active);
	put(o, "conns_total", r.accepted);
	put(o, "datagrams_in", r.datagrams_in);
	put(o, "datagrams_out", r.datagrams_out);
	put(o, "flows_active", r.flows);
	put(o, "target_failovers_total", r.failovers);
	json_object_set_new(o, "err", errors_json(&r));
	for (unsigned i = 0; i < r.n; i++)
		json_array_append_new(targets, row_json(&r.target[i]));
	json_object_set_new(o, "targets", targets);
	put_text(o, "state", r.status == RULE_ACTIVE ? "active" : "failed");
	put_text(o, "reason", r.status == RULE_ACTIVE ? NULL : r.reason);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

void feed_head(char *buf, size_t size, uint64_t uptime_ms, uint64_t seq)
{
	snprintf(buf, size,
		 "{\"t_ms\":%" PRIu64 ",\"uptime_ms\":%" PRIu64 ",\"seq\":%" PRIu64
		 ",\"process\":{\"fd_open\":%" PRIu64 ",\"fd_limit\":%" PRIu64
		 ",\"rss_bytes\":%" PRIu64 "},\"r\":[",
		 clock_wall_ms(), uptime_ms, seq, usage_open_fds(), usage_fd_limit(),
		 usage_rss_bytes());
}
