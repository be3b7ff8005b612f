// SPDX-License-Identifier: MIT
/* The local view's answers as JSON: rules with their targets, connections, the edge itself. */
#include <dirent.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/apply.h"
#include "edge/control.h"
#include "edge/report.h"
#include "edge/status.h"
#include "edge/status_internal.h"
#include "edge/worker.h"
#include "lib/rule.h"

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

#define FIELD(name)                                          \
	{                                                    \
#name, offsetof(struct account_record, name) \
	}

/* What can be added up over targets comes first. */
static const struct {
	const char *name;
	size_t at;
} kernel_fields[] = {
	FIELD(bytes_in),       FIELD(bytes_out), FIELD(received_in), FIELD(received_out),
	FIELD(attempted),      FIELD(ok),	 FIELD(failed),	     FIELD(aborted),
	FIELD(active),	       FIELD(resets),	 FIELD(retransmits), FIELD(connect_us_sum),
	FIELD(connect_us_max), FIELD(srtt_us),	 FIELD(connect_us),
};
#define KERNEL_SUMS 13

static json_t *kernel_json(const struct account_record *r, bool sum)
{
	size_t n = sum ? KERNEL_SUMS : sizeof(kernel_fields) / sizeof(kernel_fields[0]);
	json_t *o = json_object(), *hist = json_array();

	for (size_t i = 0; i < n; i++) {
		uint64_t value;

		memcpy(&value, (const char *)r + kernel_fields[i].at, sizeof(value));
		put(o, kernel_fields[i].name, value);
	}
	for (size_t i = 0; i < sizeof(r->connect_hist) / sizeof(r->connect_hist[0]); i++)
		json_array_append_new(hist, json_integer((json_int_t)r->connect_hist[i]));
	json_object_set_new(o, "connect_hist", hist);
	if (!sum)
		json_object_set_new(o, "last_errno", json_integer(r->last_errno));
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
	put_text(o, "last_error", t->health.last_error ? strerror(t->health.last_error) : NULL);
	put(o, "bytes_in", t->bytes_in);
	put(o, "bytes_out", t->bytes_out);
	put(o, "connections_accepted", t->carried);
	put(o, "active_connections", t->active);
	put_bool(o, "drained", t->drained);
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

int status_current_row(const struct rule_report *r)
{
	uint8_t order[RULE_TARGETS_MAX];
	int failed = -1;

	rule_preference(r->rule, order);
	for (unsigned i = 0; i < r->n; i++) {
		const struct target_report *t = &r->target[order[i]];

		if (t->drained)
			continue;
		if (!r->monitored || t->health.state == HEALTH_HEALTHY)
			return order[i];
		if (failed < 0)
			failed = order[i];
	}
	return failed;
}

static json_t *current_json(const struct rule_report *r)
{
	int row = status_current_row(r);
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

json_t *status_rule_json(const struct rule_report *r, enum account_mode mode, bool per_target)
{
	json_t *o = json_object(), *kernel, *rows;
	unsigned healthy = 0;

	for (unsigned i = 0; i < r->n; i++)
		healthy += r->target[i].health.state == HEALTH_HEALTHY;
	put(o, "rule_id", r->rule_id);
	put(o, "listen_port", r->rule->listen_port);
	put_text(o, "listen_address", r->rule->listen_address);
	put_text(o, "state", r->status == RULE_ACTIVE ? "active" : "failed");
	put_text(o, "reason", r->status == RULE_ACTIVE ? "" : r->reason);
	put_bool(o, "unconfirmed", r->unconfirmed);
	put(o, "targets", r->n);
	put(o, "targets_healthy", healthy);
	json_object_set_new(o, "current", current_json(r));
	put(o, "bytes_in", r->bytes_in);
	put(o, "bytes_out", r->bytes_out);
	put(o, "active_connections", r->active);
	put(o, "connections_accepted", r->accepted);
	put(o, "dns_failures", r->dns_failures);
	put(o, "target_failovers_total", r->failovers);
	put(o, "hedged", r->hedged);
	put(o, "untagged", r->untagged);
	json_object_set_new(o, "ended", ended_json(r));
	kernel = kernel_json(&r->kernel, true);
	put_text(kernel, "basis", mode == ACCOUNT_BPF ? "acked" : "written");
	json_object_set_new(o, "kernel", kernel);
	if (!per_target)
		return o;
	rows = json_array();
	for (unsigned i = 0; i < r->n; i++)
		json_array_append_new(rows, target_json(&r->target[i], i));
	json_object_set_new(o, "per_target", rows);
	return o;
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
	put(o, "retransmits_client", row->retransmits_client);
	put(o, "retransmits_target", row->retransmits_target);
	put(o, "unacked_client", row->unacked_client);
	put(o, "unacked_target", row->unacked_target);
	return o;
}

/* Since Linux 6.2 the size of /proc/self/fd is the number of open fds; before that they are counted. */
static uint64_t open_fds(void)
{
	struct stat st;
	uint64_t n = 0;
	DIR *d;

	if (!stat("/proc/self/fd", &st) && st.st_size > 0)
		return (uint64_t)st.st_size;
	d = opendir("/proc/self/fd");
	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n > 3 ? n - 3 : 0; /* ".", ".." and the directory's own */
}

static uint64_t rss_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void count_rule(struct rule_state *rs, void *arg)
{
	unsigned *n = arg;

	n[rs->status == RULE_FAILED]++;
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

json_t *status_self_json(const struct status_config *c, uint64_t uptime_secs)
{
	json_t *o = json_object(), *rules = json_object(), *fds = json_object();
	uint64_t pauses = 0, refused = 0;
	unsigned n[2] = {0};
	struct rlimit lim = {0};

	for (unsigned i = 0; i < c->n_workers; i++) {
		pauses += get(c->workers[i].accept_pauses);
		refused += get(c->workers[i].pipes_refused);
	}
	edge_each(c->edge, count_rule, n);
	getrlimit(RLIMIT_NOFILE, &lim);
	put_text(o, "version", PORTUNUS_VERSION);
	put(o, "pid", (uint64_t)getpid());
	put_text(o, "instance", c->instance);
	put(o, "started_at_unix_ms", c->started_unix_ms);
	put(o, "uptime_secs", uptime_secs);
	put(o, "workers", c->n_workers);
	put_text(o, "accounting", account_mode(c->account) == ACCOUNT_BPF ? "bpf" : "user");
	put_text(o, "accounting_reason", account_reason(c->account));
	put_text(o, "relay", c->workers[0].config.no_splice ? "copy" : "splice");
	put(rules, "active", n[0]);
	put(rules, "failed", n[1]);
	json_object_set_new(o, "rules", rules);
	put(o, "connections", edge_connections(c->edge));
	put(fds, "open", open_fds());
	put(fds, "limit", lim.rlim_cur);
	json_object_set_new(o, "fds", fds);
	put(o, "accept_pauses", pauses);
	put(o, "pipes_refused", refused);
	put_text(o, "rules_from", c->rules_from);
	json_object_set_new(o, "server", server_json(c->control));
	put(o, "rss_bytes", rss_bytes());
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
