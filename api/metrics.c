// SPDX-License-Identifier: MIT
/* /metrics and /v1/metrics: the Prometheus text of everything that is exported. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "api/api_internal.h"
#include "api/prometheus.h"
#include "lib/clock.h"
#include "server/audit.h"
#include "server/auth_failure.h"
#include "server/fleet.h"

static const char *const auth_reasons[AUTH_FAILURES] = {
	[AUTH_MISSING_TOKEN] = "missing_token",	    [AUTH_MALFORMED_TOKEN] = "malformed_token",
	[AUTH_TOKEN_NOT_FOUND] = "token_not_found", [AUTH_TOKEN_REVOKED] = "token_revoked",
	[AUTH_INTERNAL] = "internal_error",
};

/* One series of each rule: its value, and whether it has a row yet. */
struct rule_series {
	const char *name, *type, *help;
	bool (*value)(const struct fleet_rule *r, uint64_t *v);
};

static bool active_connections(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->figures ? r->figures->active_connections : 0;
	return r->figures != NULL;
}

static bool active_flows(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->figures ? r->figures->active_flows : 0;
	return r->figures != NULL;
}

static bool bytes_in(const struct fleet_rule *r, uint64_t *v)
{
	return (*v = r->counters.exported[STORE_BYTES_IN]) > 0;
}

static bool bytes_out(const struct fleet_rule *r, uint64_t *v)
{
	return (*v = r->counters.exported[STORE_BYTES_OUT]) > 0;
}

static bool dns_failures(const struct fleet_rule *r, uint64_t *v)
{
	return (*v = r->counters.exported[STORE_DNS_FAILURES]) > 0;
}

static bool failovers(const struct fleet_rule *r, uint64_t *v)
{
	*v = r->counters.exported[STORE_FAILOVERS];
	/* From its activation on, and never for a single target (DECISIONS 24). */
	return r->rule->n_targets > 1 && (r->activated || *v);
}

static bool flows_dropped(const struct fleet_rule *r, uint64_t *v)
{
	return r->figures && (*v = r->figures->flows_dropped) > 0;
}

static bool datagrams_in(const struct fleet_rule *r, uint64_t *v)
{
	return r->figures && (*v = r->figures->datagrams_in) > 0;
}

static bool datagrams_out(const struct fleet_rule *r, uint64_t *v)
{
	return r->figures && (*v = r->figures->datagrams_out) > 0;
}

/* Sorted by name; between them and the others the families are sorted too. */
static const struct rule_series rule_series[] = {
	{"portunus_rule_active_connections", "gauge", "TCP connections that are open now.",
	 active_connections},
	{"portunus_rule_active_flows", "gauge", "UDP flows that are alive now.", active_flows},
	{"portunus_rule_bytes_in_total", "counter", "Bytes from end users, delivered to targets.",
	 bytes_in},
	{"portunus_rule_bytes_out_total", "counter", "Bytes from targets, delivered to end users.",
	 bytes_out},
	{"portunus_rule_dns_failures_total", "counter", "Connections lost to name resolution.",
	 dns_failures},
	{"portunus_rule_flows_dropped_overflow_total", "counter",
	 "New UDP flows refused by the flow limit.", flows_dropped},
	{"portunus_rule_target_failovers_total", "counter",
	 "Changes of health of the rule's targets, all together.", failovers},
	{"portunus_rule_udp_datagrams_in_total", "counter", "Datagrams from end users.",
	 datagrams_in},
	{"portunus_rule_udp_datagrams_out_total", "counter", "Datagrams to end users.",
	 datagrams_out},
};

static void put_rules(struct evbuffer *out, struct api *api)
{
	size_t n;
	struct fleet_rule *const *rules = fleet_rules(api->fleet, &n);

	for (size_t s = 0; s < sizeof(rule_series) / sizeof(rule_series[0]); s++) {
		const struct rule_series *series = &rule_series[s];
		struct prom_family f = {out, series->name, series->type, series->help, false};

		for (size_t i = 0; i < n; i++) {
			char id[24];
			uint64_t v;

			if (!series->value(rules[i], &v))
				continue;
			snprintf(id, sizeof(id), "%llu", (unsigned long long)rules[i]->rule->id);
			prom_row(&f,
				 (const struct prom_label[]){{"client", rules[i]->client->name},
							     {"owner", rules[i]->rule->owner},
							     {"rule", id}},
				 3, (double)v);
		}
	}
}

static void put_single(struct evbuffer *out, const char *name, const char *type, const char *help,
		       double value)
{
	struct prom_family f = {out, name, type, help, false};

	prom_row(&f, NULL, 0, value);
}

static void put_auth_failures(struct evbuffer *out, struct api *api)
{
	struct prom_family f = {out, "portunus_auth_failures_total", "counter",
				"Refused authentications of clients.", false};

	for (int i = 0; i < AUTH_FAILURES && api->auth_failures; i++)
		if (api->auth_failures[i])
			prom_row(&f, (const struct prom_label[]){{"reason", auth_reasons[i]}}, 1,
				 (double)api->auth_failures[i]);
}

static void put_accounting(struct evbuffer *out, struct api *api)
{
	struct prom_family f = {out, "portunus_client_accounting", "gauge",
				"1 for the way in which a connected client counts bytes.", false};
	size_t n;
	struct fleet_client *const *clients = fleet_clients(api->fleet, &n);

	for (size_t i = 0; i < n; i++) {
		struct fleet_session_info s;

		if (fleet_session_info(clients[i], &s) && s.accounting[0])
			prom_row(&f,
				 (const struct prom_label[]){{"client", clients[i]->name},
							     {"mode", s.accounting}},
				 2, 1);
	}
}

static void put_requests(struct evbuffer *out, struct api *api)
{
	struct prom_family f = {out, "portunus_operator_requests_total", "counter",
				"Requests of operators by the verdict on their credentials.",
				false};

	if (api->allowed)
		prom_row(&f, (const struct prom_label[]){{"outcome", "allow"}, {"reason", "ok"}}, 2,
			 (double)api->allowed);
	for (int i = 0; i < DENY_CODES_MAX && api->denied[i].code[0]; i++)
		prom_row(&f,
			 (const struct prom_label[]){{"outcome", "deny"},
						     {"reason", api->denied[i].code}},
			 2, (double)api->denied[i].n);
}

static size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n > 3 ? n - 3 : 0; /* ".", ".." and the directory's own */
}

static void put_process(struct evbuffer *out, struct api *api)
{
	struct rusage use;
	struct rlimit fds;
	unsigned long size = 0, resident = 0;
	FILE *statm = fopen("/proc/self/statm", "re");

	if (statm) {
		if (fscanf(statm, "%lu %lu", &size, &resident) != 2)
			size = resident = 0;
		fclose(statm);
	}
	getrusage(RUSAGE_SELF, &use);
	getrlimit(RLIMIT_NOFILE, &fds);
	put_single(out, "process_cpu_seconds_total", "counter", "CPU time used.",
		   (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
			   (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
	put_single(out, "process_max_fds", "gauge", "Limit of open file descriptors.",
		   (double)fds.rlim_cur);
	put_single(out, "process_open_fds", "gauge", "Open file descriptors.", (double)open_fds());
	put_single(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
		   (double)resident * (double)sysconf(_SC_PAGESIZE));
	put_single(out, "process_start_time_seconds", "gauge", "Start time, seconds since 1970.",
		   (double)api->started_ms / 1000);
	put_single(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.",
		   (double)size * (double)sysconf(_SC_PAGESIZE));
}

struct evbuffer *metrics_text(struct api *api)
{
	struct evbuffer *out = evbuffer_new();
	struct prom_family build = {out, "portunus_build_info", "gauge",
				    "1; the version is the label.", false};

	if (!out)
		return NULL;
	put_single(out, "portunus_audit_buffer_drops_total", "counter", "Audit entries lost.",
		   (double)audit_drops(api->audit));
	put_single(out, "portunus_audit_durable_writer_lag_seconds", "gauge",
		   "Age of the oldest audit entry that is not stored yet.", audit_lag(api->audit));
	put_auth_failures(out, api);
	prom_row(&build, (const struct prom_label[]){{"version", PORTUNUS_VERSION}}, 1, 1);
	put_accounting(out, api);
	put_single(out, "portunus_clients_connected", "gauge", "Control sessions open now.",
		   (double)fleet_connected(api->fleet));
	put_requests(out, api);
	put_rules(out, api);
	put_single(out, "portunus_sse_subscribers", "gauge", "Open streams of figures.",
		   (double)streams_count(api));
	put_process(out, api);
	return out;
}

void metrics_get(struct call *c)
{
	struct evbuffer *out = metrics_text(c->api);

	if (!out) {
		call_json(c, 500, NULL);
		return;
	}
	call_buffer(c, 200, "text/plain; version=0.0.4; charset=utf-8", out);
}
