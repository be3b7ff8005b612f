// SPDX-License-Identifier: MIT
/* The edge's own figures for Prometheus, with or without a server. */
#include "edge/status/metrics.h"

#include <event2/buffer.h>
#include <inttypes.h>

#include "edge/account/account.h"
#include "edge/control/control.h"
#include "edge/rules/sni.h"
#include "edge/status/config.h"
#include "edge/status/usage.h"
#include "edge/watch/lag.h"
#include "edge/watch/report.h"
#include "edge/worker/worker.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define get(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

struct metrics_rule metrics_of(const struct rule_report *r)
{
	struct metrics_rule m = {
		.id = r->rule_id,
		.bytes_in = r->bytes_in,
		.bytes_out = r->bytes_out,
		.accepted = r->accepted,
		.failovers = r->failovers,
		.dns_failures = r->dns_failures,
		.denied = r->ended[END_DENIED],
		.handed_over = r->handed_over,
		.in_kernel = r->in_kernel,
		.active = r->active,
		.targets = r->n,
		.healthy = report_healthy(r),
		.serving = r->status == RULE_ACTIVE,
		.routed = r->routed,
		.sni_exact = r->sni_exact,
		.sni_wildcard = r->sni_wildcard,
		.sni_fallback = r->sni_fallback,
	};

	return m;
}

static void head(struct evbuffer *out, const char *name, const char *type, const char *help)
{
	evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(struct evbuffer *out, const char *name, const char *type, const char *help,
		   uint64_t value)
{
	head(out, name, type, help);
	evbuffer_add_printf(out, "%s %" PRIu64 "\n", name, value);
}

static void workers(struct evbuffer *out, const struct status_config *c)
{
	uint64_t pauses = 0, refused = 0;

	head(out, "portunus_edge_worker_stalls_total", "counter",
	     "How often a worker stood still for 2 s or more.");
	for (unsigned i = 0; i < c->n_workers; i++) {
		evbuffer_add_printf(out,
				    "portunus_edge_worker_stalls_total{worker=\"%u\"} %" PRIu64
				    "\n",
				    i, (uint64_t)get(c->workers[i].stalls));
		pauses += get(c->workers[i].listening.pauses);
		refused += get(c->workers[i].pipes_refused);
	}
	single(out, "portunus_edge_accept_pauses_total", "counter",
	       "How often clients waited for want of descriptors.", pauses);
	single(out, "portunus_edge_pipes_refused_total", "counter",
	       "How often bytes were copied for want of a pipe.", refused);
}

void metrics_process(struct evbuffer *out, const struct status_config *c)
{
	struct control_view server;
	bool copying = false;

	for (unsigned i = 0; i < c->n_workers; i++)
		copying |= atomic_load(&c->workers[i].conns.relay.no_splice);
	head(out, "portunus_edge_info", "gauge", "Version, and the modes in force.");
	evbuffer_add_printf(out,
			    "portunus_edge_info{accounting=\"%s\",relay=\"%s\",sandbox=\"%s\","
			    "version=\"%s\"} 1\n",
			    account_mode_text(c->account), copying ? "copy" : "splice", c->sandbox,
			    PORTUNUS_VERSION);
	single(out, "portunus_edge_uptime_seconds", "gauge", "Since the start.",
	       (clock_mono_ns() - c->started_ns) / NS_PER_SEC);
	if (c->control) {
		control_view(c->control, &server);
		single(out, "portunus_edge_server_connected", "gauge",
		       "1 while there is a session with the server.", server.connected);
		single(out, "portunus_edge_rules_unconfirmed", "gauge",
		       "Rules that the server has not named in this session.", server.unconfirmed);
	}
	head(out, "portunus_edge_loop_lag_seconds", "gauge",
	     "How late the main loop has been in the last half minute, at most.");
	evbuffer_add_printf(out, "portunus_edge_loop_lag_seconds %.6f\n",
			    (double)loop_lag_ns(c->lag) / (double)NS_PER_SEC);
	workers(out, c);
	single(out, "portunus_edge_log_dropped_total", "counter",
	       "Log lines that nobody read in time.", log_dropped());
	single(out, "process_open_fds", "gauge", "Open descriptors.", usage_open_fds());
	single(out, "process_max_fds", "gauge", "The limit of descriptors.", usage_fd_limit());
	single(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
	       usage_rss_bytes());
}

/* ---- rules ---- */

static uint64_t serving(const struct metrics_rule *r)
{
	return r->serving;
}

static uint64_t active(const struct metrics_rule *r)
{
	return r->active;
}

static uint64_t accepted(const struct metrics_rule *r)
{
	return r->accepted;
}

static uint64_t bytes_in(const struct metrics_rule *r)
{
	return r->bytes_in;
}

static uint64_t bytes_out(const struct metrics_rule *r)
{
	return r->bytes_out;
}

static uint64_t healthy(const struct metrics_rule *r)
{
	return r->healthy;
}

static uint64_t failed(const struct metrics_rule *r)
{
	return (uint64_t)r->targets - r->healthy;
}

static uint64_t failovers(const struct metrics_rule *r)
{
	return r->failovers;
}

static uint64_t denied(const struct metrics_rule *r)
{
	return r->denied;
}

static uint64_t dns_failures(const struct metrics_rule *r)
{
	return r->dns_failures;
}

static uint64_t handed_over(const struct metrics_rule *r)
{
	return r->handed_over;
}

static uint64_t in_kernel(const struct metrics_rule *r)
{
	return r->in_kernel;
}

static uint64_t in_user_space(const struct metrics_rule *r)
{
	return r->active > r->in_kernel ? r->active - r->in_kernel : 0;
}

static uint64_t sni_exact(const struct metrics_rule *r)
{
	return r->sni_exact;
}

static uint64_t sni_wildcard(const struct metrics_rule *r)
{
	return r->sni_wildcard;
}

static uint64_t sni_fallback(const struct metrics_rule *r)
{
	return r->sni_fallback;
}

#define FAMILY_ROWS 3

/* Up to three rows for each rule; @label distinguishes them. */
static const struct {
	const char *name, *type, *help;
	struct {
		const char *label;
		uint64_t (*value)(const struct metrics_rule *r);
	} row[FAMILY_ROWS];
	bool routed; /* of rules that share their port alone */
} families[] = {
	{"portunus_edge_rule_active", "gauge", "1 while the rule listens.", {{"", serving}}},
	{"portunus_edge_rule_connections", "gauge", "Open connections.", {{"", active}}},
	{"portunus_edge_rule_connections_accepted_total",
	 "counter",
	 "Connections of clients.",
	 {{"", accepted}}},
	{"portunus_edge_rule_path_connections",
	 "gauge",
	 "Open connections by who relays them.",
	 {{",path=\"kernel\"", in_kernel}, {",path=\"user\"", in_user_space}}},
	{"portunus_edge_rule_handed_over_total",
	 "counter",
	 "Connections that the kernel took over.",
	 {{"", handed_over}}},
	{"portunus_edge_rule_bytes_total",
	 "counter",
	 "Bytes that the receiver has acknowledged, or that were written (accounting user).",
	 {{",direction=\"in\"", bytes_in}, {",direction=\"out\"", bytes_out}}},
	{"portunus_edge_rule_targets",
	 "gauge",
	 "Targets by health.",
	 {{",health=\"healthy\"", healthy}, {",health=\"failed\"", failed}}},
	{"portunus_edge_rule_failovers_total",
	 "counter",
	 "Changes of health of its targets.",
	 {{"", failovers}}},
	{"portunus_edge_rule_dns_failures_total",
	 "counter",
	 "Names that could not be resolved.",
	 {{"", dns_failures}}},
	{"portunus_edge_rule_denied_total",
	 "counter",
	 "Connections and datagrams that allow and deny refused.",
	 {{"", denied}}},
	{"portunus_edge_rule_sni_routed_total",
	 "counter",
	 "Connections that got a target, by how the rule was found.",
	 {{",match=\"exact\"", sni_exact},
	  {",match=\"wildcard\"", sni_wildcard},
	  {",match=\"fallback\"", sni_fallback}},
	 true},
};

/* ---- ports that route by server name ---- */

struct sni_rows {
	struct evbuffer *out;
	unsigned family;
};

static void sni_counters(const struct sni_group_view *v, void *arg)
{
	const struct sni_rows *r = arg;
	const char *const names[] = {"portunus_edge_sni_missed_total",
				     "portunus_edge_sni_parse_failures_total",
				     "portunus_edge_sni_peeks_rejected_total"};
	const uint64_t values[] = {v->sums.missed, v->sums.failed, v->sums.rejected};

	evbuffer_add_printf(r->out, "%s{port=\"%u\"} %" PRIu64 "\n", names[r->family], v->port,
			    values[r->family]);
}

static void sni_histogram(const struct sni_group_view *v, void *arg)
{
	static const char name[] = "portunus_edge_sni_peek_duration_seconds";
	struct evbuffer *out = ((const struct sni_rows *)arg)->out;

	for (unsigned i = 0; i < SNI_BUCKETS; i++)
		evbuffer_add_printf(out, "%s_bucket{port=\"%u\",le=\"%g\"} %" PRIu64 "\n", name,
				    v->port, sni_bucket_us[i] / 1e6, v->sums.bucket[i]);
	evbuffer_add_printf(out, "%s_bucket{port=\"%u\",le=\"+Inf\"} %" PRIu64 "\n", name, v->port,
			    v->sums.n);
	evbuffer_add_printf(out, "%s_sum{port=\"%u\"} %.6f\n%s_count{port=\"%u\"} %" PRIu64 "\n",
			    name, v->port, (double)v->sums.took_us / 1e6, name, v->port, v->sums.n);
}

void metrics_sni(struct evbuffer *out, const struct status_config *c)
{
	struct sni_rows r = {.out = out};

	head(out, "portunus_edge_sni_missed_total", "counter",
	     "Clients whose server name leads to no rule.");
	sni_each(c->table, sni_counters, &r);
	r.family = 1;
	head(out, "portunus_edge_sni_parse_failures_total", "counter",
	     "Clients that sent no ClientHello.");
	sni_each(c->table, sni_counters, &r);
	r.family = 2;
	head(out, "portunus_edge_sni_peeks_rejected_total", "counter",
	     "Clients that were closed because too many had not sent a ClientHello yet.");
	sni_each(c->table, sni_counters, &r);
	head(out, "portunus_edge_sni_peek_duration_seconds", "histogram",
	     "Time until the ClientHello was there, or it was clear that it would not come.");
	sni_each(c->table, sni_histogram, &r);
}

bool metrics_family(struct evbuffer *out, unsigned family, const struct metrics_rule *rules,
		    size_t n)
{
	if (family >= sizeof(families) / sizeof(families[0]))
		return false;
	head(out, families[family].name, families[family].type, families[family].help);
	for (size_t i = 0; i < n; i++)
		for (unsigned k = 0; k < FAMILY_ROWS && families[family].row[k].value &&
				     (rules[i].routed || !families[family].routed);
		     k++)
			evbuffer_add_printf(out, "%s{rule=\"%" PRIu64 "\"%s} %" PRIu64 "\n",
					    families[family].name, rules[i].id,
					    families[family].row[k].label,
					    families[family].row[k].value(&rules[i]));
	return true;
}
