// SPDX-License-Identifier: MIT
/* The figures of rules in Prometheus' text format. */
#include "api/routes/metrics_rules.h"

#include <stdio.h>

#include "api/call/prometheus.h"
#include "lib/base/clock.h"
#include "server/fleet/model.h"
#include "server/fleet/owner.h"

#define LOOK_EVERY 32 /* rules between two looks at the clock */

/* The labels of a rule's rows; between them families with another label put theirs in its place. */
struct rule_labels {
	const char *client, *owner;
	char rule[24];
};

/* One family: either a value of each rule, which says whether it has a row, or rows of its own. */
struct rule_series {
	const char *name, *type, *help;
	bool (*value)(const struct fleet_rule *r, uint64_t *v);
	void (*rows)(struct prom_family *f, const struct fleet_rule *r,
		     const struct rule_labels *l);
	/* Rows of owners' envelopes, whose rule is "": NULL, there are none. */
	void (*caps)(struct prom_family *f, const struct caps_figures *caps,
		     const struct rule_labels *l);
};

/* From its activation on a rule has its counters, at 0. */
static bool has_begun(const struct fleet_rule *r, uint64_t v)
{
	return r->activated || v;
}

static bool active_connections(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->figures ? r->figures->active_connections : 0;
	return r->figures || r->activated;
}

static bool active_flows(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->figures ? r->figures->active_flows : 0;
	return r->figures || r->activated;
}

static bool bytes_in(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->counters.exported[STORE_BYTES_IN];
	return has_begun(r, *v);
}

static bool bytes_out(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->counters.exported[STORE_BYTES_OUT];
	return has_begun(r, *v);
}

static bool denied(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->figures ? r->figures->denied : 0;
	return *v || ((r->rule->allow || r->rule->deny) && r->activated);
}

static bool dns_failures(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->counters.exported[STORE_DNS_FAILURES];
	return has_begun(r, *v);
}

/* Never for a single target, which has nothing to fail over to. */
static bool failovers(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->counters.exported[STORE_FAILOVERS];
	return r->rule->n_targets > 1 && has_begun(r, *v);
}

static bool is_udp(const struct fleet_rule *r)
{
	return r->rule->protocol == RULE_UDP;
}

static bool flows_dropped(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->figures ? r->figures->flows_dropped : 0;
	return *v || (is_udp(r) && r->activated);
}

static bool datagrams_in(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->figures ? r->figures->datagrams_in : 0;
	return *v || (is_udp(r) && r->activated);
}

static bool datagrams_out(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->figures ? r->figures->datagrams_out : 0;
	return *v || (is_udp(r) && r->activated);
}

static void state_rows(struct prom_family *f, const struct fleet_rule *r,
		       const struct rule_labels *l)
{
	static const char *const states[] = {
		[FLEET_ACTIVE] = "active", [FLEET_FAILED] = "failed", [FLEET_PENDING] = "pending"};

	for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		prom_row(f,
			 (const struct prom_label[]){{"client", l->client},
						     {"owner", l->owner},
						     {"rule", l->rule},
						     {"state", states[i]}},
			 4, r->state == (enum fleet_state)i);
}

/* How many targets are in which health: two rows, however many targets there are. */
static void target_rows(struct prom_family *f, const struct fleet_rule *r,
			const struct rule_labels *l)
{
	unsigned failed = 0;

	if (r->rule->n_targets < 2 || (!r->figures && !r->activated))
		return;
	for (uint32_t i = 0; r->figures && i < r->figures->n_targets; i++)
		failed += r->figures->targets[i].failed;
	for (int i = 0; i < 2; i++)
		prom_row(f,
			 (const struct prom_label[]){{"client", l->client},
						     {"health", i ? "healthy" : "failed"},
						     {"owner", l->owner},
						     {"rule", l->rule}},
			 4, i ? r->rule->n_targets - failed : failed);
}

/* By who moves their bytes; for rules that leave it to the kernel where that can. */
static void path_rows(struct prom_family *f, const struct fleet_rule *r,
		      const struct rule_labels *l)
{
	const struct rule_figures *fig = r->figures;

	if (!rule_relay_wanted(r->rule) || (!fig && !r->activated))
		return;
	for (int i = 0; i < 2; i++)
		prom_row(f,
			 (const struct prom_label[]){{"client", l->client},
						     {"owner", l->owner},
						     {"path", i ? "user" : "kernel"},
						     {"rule", l->rule}},
			 4,
			 !fig ? 0
			 : i  ? fig->active_connections - fig->in_kernel
			      : fig->in_kernel);
}

static void route_rows(struct prom_family *f, const struct fleet_rule *r,
		       const struct rule_labels *l)
{
	const struct rule_figures *fig = r->figures;
	const struct {
		const char *result;
		uint64_t n;
	} rows[] = {
		{"exact", fig ? fig->sni_exact : 0},
		{"fallback", fig ? fig->sni_fallback : 0},
		{"wildcard", fig ? fig->sni_wildcard : 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].n)
			prom_row(f,
				 (const struct prom_label[]){{"client", l->client},
							     {"owner", l->owner},
							     {"result", rows[i].result},
							     {"rule", l->rule}},
				 4, (double)rows[i].n);
}

static void limit_active(struct prom_family *f, const struct caps_figures *caps,
			 const struct rule_labels *l)
{
	prom_row(f,
		 (const struct prom_label[]){{"client", l->client},
					     {"owner", l->owner},
					     {"rule", l->rule}},
		 3, caps->active_connections);
}

/* A reason has a row from its first refusal on. */
static void limit_refused(struct prom_family *f, const struct caps_figures *caps,
			  const struct rule_labels *l)
{
	for (unsigned i = 0; i < CAPS_REFUSALS; i++)
		if (caps->refused[i])
			prom_row(f,
				 (const struct prom_label[]){{"client", l->client},
							     {"owner", l->owner},
							     {"reason", caps_refusal_text(i)},
							     {"rule", l->rule}},
				 4, (double)caps->refused[i]);
}

static void limit_throttled(struct prom_family *f, const struct caps_figures *caps,
			    const struct rule_labels *l)
{
	for (int in = 1; in >= 0; in--) {
		uint64_t us = in ? caps->throttled_us_in : caps->throttled_us_out;

		if (us)
			prom_row(f,
				 (const struct prom_label[]){{"client", l->client},
							     {"direction", in ? "in" : "out"},
							     {"owner", l->owner},
							     {"rule", l->rule}},
				 4, (double)us / 1e6);
	}
}

/* Sorted by name; between them and the others the families are sorted too. */
static const struct rule_series rule_series[] = {
	{"portunus_rate_limit_active_connections", "gauge",
	 "Connections and flows open under a cap.", .caps = limit_active},
	{"portunus_rate_limit_reject_total", "counter", "Connections and flows that a cap refused.",
	 .caps = limit_refused},
	{"portunus_rate_limit_throttle_seconds_total", "counter",
	 "Time that bytes have waited for bandwidth, all connections together.",
	 .caps = limit_throttled},
	{"portunus_rule_active_connections", "gauge", "TCP connections that are open now.",
	 active_connections},
	{"portunus_rule_active_flows", "gauge", "UDP flows that are alive now.", active_flows},
	{"portunus_rule_bytes_in_total", "counter", "Bytes from end users, delivered to targets.",
	 bytes_in},
	{"portunus_rule_bytes_out_total", "counter", "Bytes from targets, delivered to end users.",
	 bytes_out},
	{"portunus_rule_connections", "gauge",
	 "Open connections by what relays them: the edge, or the kernel.", NULL, path_rows},
	{"portunus_rule_denied_total", "counter",
	 "Connections and datagrams that allow and deny refused.", denied},
	{"portunus_rule_dns_failures_total", "counter", "Connections lost to name resolution.",
	 dns_failures},
	{"portunus_rule_flows_dropped_overflow_total", "counter",
	 "New UDP flows refused by the flow limit.", flows_dropped},
	{"portunus_rule_state", "gauge", "1 for the state that the rule is in.", NULL, state_rows},
	{"portunus_rule_target_failovers_total", "counter",
	 "Changes of health of the rule's targets, all together.", failovers},
	{"portunus_rule_targets", "gauge", "Targets of the rule by their health.", NULL,
	 target_rows},
	{"portunus_rule_udp_datagrams_in_total", "counter", "Datagrams from end users.",
	 datagrams_in},
	{"portunus_rule_udp_datagrams_out_total", "counter", "Datagrams to end users.",
	 datagrams_out},
	{"portunus_tls_sni_route_total", "counter",
	 "Connections by how their server name led to the rule.", NULL, route_rows},
};

#define N_SERIES (sizeof(rule_series) / sizeof(rule_series[0]))
#define N_TLS	 1 /* the last ones */

static void put_rule(struct prom_family *f, const struct rule_series *series,
		     const struct fleet_rule *r)
{
	struct rule_labels l = {.client = r->client->name, .owner = r->rule->owner};
	uint64_t v;

	snprintf(l.rule, sizeof(l.rule), "%llu", (unsigned long long)r->rule->id);
	if (series->caps && r->figures && r->figures->has_caps)
		series->caps(f, &r->figures->caps, &l);
	else if (series->caps)
		return;
	else if (series->rows)
		series->rows(f, r, &l);
	else if (series->value(r, &v))
		prom_row(f,
			 (const struct prom_label[]){{"client", l.client},
						     {"owner", l.owner},
						     {"rule", l.rule}},
			 3, (double)v);
}

static void put_owners(struct prom_family *f, const struct rule_series *series,
		       const struct fleet *fleet)
{
	const struct fleet_owner *o;
	size_t n;
	struct fleet_client *const *clients = fleet_clients(fleet, &n);

	for (size_t i = 0; i < n; i++) {
		TAILQ_FOREACH (o, &clients[i]->owners, of_client)
			if (o->reported)
				series->caps(f, &o->figures,
					     &(struct rule_labels){.client = clients[i]->name,
								   .owner = o->id});
	}
}

/* False: there was no time for all of it. */
static bool put_family(struct rule_metrics *m, struct evbuffer *out, struct fleet *fleet,
		       uint64_t until_ns)
{
	const struct rule_series *series = &rule_series[m->family];
	struct prom_family f = {out, series->name, series->type, series->help, m->begun};
	bool done = true;
	size_t n, i;
	struct fleet_rule *const *rules = fleet_rules(fleet, &n);

	if (series->caps && !m->owners)
		put_owners(&f, series, fleet);
	m->owners = true;
	for (i = fleet_rules_after(fleet, m->after); i < n && done; i++) {
		done = i % LOOK_EVERY || clock_mono_ns() < until_ns;
		if (!done)
			break;
		put_rule(&f, series, rules[i]);
		m->after = rules[i]->rule->id;
	}
	m->begun = f.begun;
	return done;
}

bool rule_metrics_write(struct rule_metrics *m, enum rule_metrics_kind kind, struct evbuffer *out,
			struct fleet *fleet, uint64_t until_ns)
{
	size_t end = kind == RULE_METRICS_TLS ? N_SERIES : N_SERIES - N_TLS;

	while (m->family < end) {
		if (!put_family(m, out, fleet, until_ns))
			return false;
		*m = (struct rule_metrics){.family = m->family + 1};
	}
	return true;
}
