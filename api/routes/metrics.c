// SPDX-License-Identifier: MIT
/* /metrics and /v1/metrics: the Prometheus text of everything that is exported. */
#include "api/routes/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <openssl/ssl.h>

#include "api/call/call.h"
#include "api/call/prometheus.h"
#include "api/call/slices.h"
#include "api/routes/health.h"
#include "api/routes/metrics_rules.h"
#include "api/routes/metrics_sni.h"
#include "api/routes/stream.h"
#include "lib/base/log.h"
#include "server/access/audit.h"
#include "server/access/auth_failure.h"
#include "server/fleet/fleet.h"
#include "server/store/store.h"

static const char *const auth_reasons[AUTH_FAILURES] = {
	[AUTH_MISSING_TOKEN] = "missing_token",	    [AUTH_MALFORMED_TOKEN] = "malformed_token",
	[AUTH_TOKEN_NOT_FOUND] = "token_not_found", [AUTH_TOKEN_REVOKED] = "token_revoked",
	[AUTH_INTERNAL] = "internal_error",
};

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

static void put_no_room(struct evbuffer *out, struct api *api)
{
	struct prom_family f = {out, "portunus_control_no_room_total", "counter",
				"Connections to the control port that were refused, or ended for "
				"another one, because all places were taken.",
				false};
	uint64_t refused, ended;

	if (!api->no_room)
		return;
	api->no_room(api->no_room_arg, &refused, &ended);
	prom_row(&f, (const struct prom_label[]){{"outcome", "refused"}}, 1, (double)refused);
	prom_row(&f, (const struct prom_label[]){{"outcome", "ended"}}, 1, (double)ended);
}

static void put_accounting(struct evbuffer *out, struct api *api)
{
	struct prom_family f = {out, "portunus_client_accounting", "gauge",
				"1 for the way in which a connected client counts bytes.", false};
	size_t n;
	struct fleet_client *const *clients = fleet_clients(api->fleet, &n);

	for (size_t i = 0; i < n; i++) {
		struct fleet_session_info s;

		/* Revoked ones may share a name with another. */
		if (!clients[i]->revoked_ms && fleet_session_info(clients[i], &s) &&
		    s.accounting[0])
			prom_row(&f,
				 (const struct prom_label[]){{"client", clients[i]->name},
							     {"mode", s.accounting}},
				 2, 1);
	}
}

/* No row before an edge has told: a server that starts anew must not look like an edge that stands still. */
static void put_stalls(struct evbuffer *out, struct api *api)
{
	struct prom_family f = {out, "portunus_client_worker_stalls_total", "counter",
				"How often a worker of the client stood still for 2 s or more.",
				false};
	size_t n;
	struct fleet_client *const *clients = fleet_clients(api->fleet, &n);

	for (size_t i = 0; i < n; i++)
		if (!clients[i]->revoked_ms && clients[i]->stalls.told)
			prom_row(&f, (const struct prom_label[]){{"client", clients[i]->name}}, 1,
				 (double)clients[i]->stalls.total);
}

/* 1 for each edge that is connected, 0 for each that is away: so that this can be an alert. */
static void put_connected(struct evbuffer *out, struct api *api)
{
	struct prom_family f = {out, "portunus_client_connected", "gauge",
				"Whether the client's control session is open.", false};
	size_t n;
	struct fleet_client *const *clients = fleet_clients(api->fleet, &n);

	for (size_t i = 0; i < n; i++)
		if (!clients[i]->revoked_ms)
			prom_row(&f, (const struct prom_label[]){{"client", clients[i]->name}}, 1,
				 fleet_is_connected(clients[i]));
}

/* Of what is served now: the file may have been renewed since the start. */
static void put_certificate(struct prom_family *f, const char *name, const struct ssl_ctx_st *tls)
{
	const X509 *cert = tls ? SSL_CTX_get0_certificate(tls) : NULL;
	struct tm tm;

	if (cert && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1)
		prom_row(f, (const struct prom_label[]){{"certificate", name}}, 1,
			 (double)timegm(&tm));
}

static void put_certificates(struct evbuffer *out, struct api *api)
{
	struct prom_family f = {out, "portunus_certificate_expiry_timestamp_seconds", "gauge",
				"When the certificate ends, seconds since 1970.", false};

	put_certificate(&f, "api", api->tls);
	put_certificate(&f, "control", api->control_tls);
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

/* What comes before the figures of rules. */
static void put_first(struct evbuffer *out, struct api *api)
{
	struct prom_family build = {out, "portunus_build_info", "gauge",
				    "1; the version is the label.", false};

	put_single(out, "portunus_audit_buffer_drops_total", "counter", "Audit entries lost.",
		   (double)audit_drops(api->audit));
	put_single(out, "portunus_audit_durable_writer_lag_seconds", "gauge",
		   "Age of the oldest audit entry that is not stored yet.", audit_lag(api->audit));
	put_auth_failures(out, api);
	prom_row(&build, (const struct prom_label[]){{"version", PORTUNUS_VERSION}}, 1, 1);
	put_certificates(out, api);
	put_accounting(out, api);
	put_connected(out, api);
	put_stalls(out, api);
	put_single(out, "portunus_clients_connected", "gauge", "Control sessions open now.",
		   (double)fleet_connected(api->fleet));
	put_no_room(out, api);
	put_single(out, "portunus_log_dropped_total", "counter",
		   "Lines of the log that nobody read in time.", (double)log_dropped());
	put_requests(out, api);
	prom_histogram(out, "portunus_push_duration_seconds",
		       "Pushes and updates of rules, from the request to the edge's answer.",
		       &api->pushes);
}

/* What comes between them and the rest of theirs. */
static void put_middle(struct evbuffer *out, struct api *api)
{
	put_single(out, "portunus_sse_subscribers", "gauge", "Open streams of figures.",
		   (double)streams_count(api));
	prom_histogram(out, "portunus_stats_duration_seconds",
		       "Figures of one rule, from the request to the edge's report.",
		       &api->refreshes);
	put_single(out, "portunus_store_bytes", "gauge", "Size of the database.",
		   (double)store_bytes(api->store));
	put_single(out, "portunus_store_reachable", "gauge", "1 while the store can be asked.",
		   !health_of_store(api));
	metrics_sni_ports(out, api->fleet);
}

/* And what comes after the families of routes. */
static void put_last(struct evbuffer *out, struct api *api)
{
	metrics_sni_routes(out, api->fleet);
	put_process(out, api);
}

/* A text in the making. */
struct scrape {
	struct slice slice; /* first: what slices.c hands back */
	struct call *c;
	struct evbuffer *out;
	struct rule_metrics rules;
	bool middle; /* what comes between the two kinds of them is written */
};

static void scrape_drop(struct slice *s)
{
	struct scrape *m = (struct scrape *)s;

	call_free(m->c);
	evbuffer_free(m->out);
	free(m);
}

static bool scrape_step(struct slice *s, uint64_t until_ns)
{
	struct scrape *m = (struct scrape *)s;
	struct fleet *fleet = m->c->api->fleet;

	if (m->c->link && !m->middle &&
	    !rule_metrics_write(&m->rules, RULE_METRICS_RULE, m->out, fleet, until_ns))
		return false;
	if (!m->middle)
		put_middle(m->out, m->c->api);
	m->middle = true;
	if (m->c->link && !rule_metrics_write(&m->rules, RULE_METRICS_TLS, m->out, fleet, until_ns))
		return false;
	put_last(m->out, m->c->api);
	call_buffer(m->c, 200, "text/plain; version=0.0.4; charset=utf-8", m->out);
	free(m);
	return true;
}

void metrics_get(struct call *c)
{
	struct scrape *m = calloc(1, sizeof(*m));

	if (m)
		m->out = evbuffer_new();
	if (!m || !m->out) {
		free(m);
		call_json(c, 500, NULL);
		return;
	}
	m->slice = (struct slice){.step = scrape_step, .drop = scrape_drop};
	m->c = c;
	put_first(m->out, c->api);
	if (c->local)
		scrape_step(&m->slice, UINT64_MAX);
	else
		slices_run(c->api->slices, &m->slice);
}
