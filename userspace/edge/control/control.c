// SPDX-License-Identifier: MIT
/* The control channel as the program sees it: begin and end, the bundle, news to and from the table. */
#include "edge/control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account/account.h"
#include "edge/control/link.h"
#include "edge/flow/limits.h"
#include "edge/control/rules.h"
#include "edge/control/flow_list.h"
#include "edge/control/stats.h"
#include "edge/loop/offload.h"
#include "edge/rules/apply.h"
#include "edge/rules/table.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/tls/bundle.h"
#include "lib/wire/capability.h"

#define TEXT_MAX 512

struct control {
	struct control_config config;
	struct bundle bundle;
	struct control_link *link;
	struct control_rules *rules;
	struct stats_sender *stats;
	struct flow_lists *flows;
	bool revoked, connected;
	char server_version[64];
	char last_error[TEXT_MAX]; /* why the last session or attempt ended */
	uint64_t since_unix_ms;
	bool stopped;
	/* The bundle's file, being read again. */
	struct {
		struct offload_job job;
		bool busy, again;
		bool asked; /* by the operator */
		int err;
		bool is_private;
		char why[BUNDLE_ERROR_SIZE];
		struct bundle bundle;
	} reading;
	/* What the server wants the file to have, being written. */
	struct {
		struct offload_job job;
		bool busy;
		uint64_t serial;
		int err;
		struct bundle bundle;
	} storing;
};

void control_scope(const struct bundle *b, char out[CONTROL_SCOPE_MAX])
{
	char pin[2 * sizeof(b->pin) + 1];

	hex_write(b->pin, sizeof(b->pin), pin);
	/* Bundles of old servers have no id; a name is no ULID. */
	if (*b->client_id)
		snprintf(out, CONTROL_SCOPE_MAX, "%s/%s", pin, b->client_id);
	else
		snprintf(out, CONTROL_SCOPE_MAX, "%s/name:%s", pin, b->client_name);
}

/* ---- the bundle ---- */

/* Whether @b is for the same client of the same server, whose certificate may be another by now. */
static bool is_ours(const struct control *c, const struct bundle *b)
{
	char mine[CONTROL_SCOPE_MAX], theirs[CONTROL_SCOPE_MAX];

	control_scope(&c->bundle, mine);
	control_scope(b, theirs);
	/* An id is made only once. */
	return !strcmp(mine, theirs) ||
	       (*b->client_id && !strcmp(b->client_id, c->bundle.client_id));
}

static bool is_in_use(const struct control *c, const struct bundle *b)
{
	return !memcmp(b->pin, c->bundle.pin, sizeof(b->pin)) &&
	       b->has_next_pin == c->bundle.has_next_pin &&
	       !memcmp(b->next_pin, c->bundle.next_pin, sizeof(b->next_pin)) &&
	       !strcmp(b->token, c->bundle.token) &&
	       !strcmp(b->server_endpoint, c->bundle.server_endpoint);
}

static void use_bundle(struct control *c, const struct bundle *b)
{
	char scope[CONTROL_SCOPE_MAX];
	const char *wrong = control_link_check(b);

	if (wrong) {
		log_event(LOG_ERROR, "control.bundle_refused",
			  LOGF_STR("path", c->config.bundle_path), LOGF_STR("error", wrong),
			  LOGF_STR("field", "server_endpoint"));
		return;
	}
	control_scope(b, scope);
	control_rules_rescope(c->rules, scope);
	log_event(LOG_INFO, "control.bundle_loaded", LOGF_STR("path", c->config.bundle_path));
	stats_end(c->stats);
	flow_lists_end(c->flows);
	c->connected = false;
	c->revoked = false;
	c->bundle = *b;
	control_link_connect(c->link, b);
}

static void work(struct offload_job *job)
{
	struct control *c = container_of(job, struct control, reading.job);

	c->reading.err = bundle_read(c->config.bundle_path, &c->reading.bundle, c->reading.why);
	c->reading.is_private = bundle_is_private(c->config.bundle_path);
}

static void warn_of_mode(const struct control *c)
{
	log_event(LOG_WARN, "control.bundle_readable", LOGF_STR("path", c->config.bundle_path),
		  LOGF_STR("hint",
			   "others can read the token in it: chmod 600, and if they may have, "
			   "enroll again"));
}

/* What the operator asked for is said; what the edge looked at by itself, at the debug level. */
static void take_bundle(struct control *c, bool asked)
{
	enum log_level level = asked ? LOG_ERROR : LOG_DEBUG;
	const struct bundle *b = &c->reading.bundle;

	if (!c->reading.err && asked && !c->reading.is_private)
		warn_of_mode(c);
	if (c->reading.err)
		log_event(level, "control.bundle_refused", LOGF_STR("error", c->reading.why),
			  LOGF_STR("hint", "the bundle in use is kept"));
	else if (!is_ours(c, b))
		log_event(level, "control.bundle_refused", LOGF_STR("path", c->config.bundle_path),
			  LOGF_STR("error", "it is for another server or client"),
			  LOGF_STR("hint", "restart portunus-client to change over"));
	else if (!is_in_use(c, b) || (asked && !c->connected))
		use_bundle(c, b);
}

static void read_bundle(struct control *c, bool asked);

static void done(struct offload_job *job)
{
	struct control *c = container_of(job, struct control, reading.job);
	bool asked = c->reading.asked;

	c->reading.busy = false;
	c->reading.asked = false;
	if (c->reading.again) {
		read_bundle(c, asked);
		return;
	}
	if (!c->stopped)
		take_bundle(c, asked);
	if (asked)
		c->config.reloaded(c->config.arg);
}

/* On another thread: the file may be on a file system that does not answer. */
static void read_bundle(struct control *c, bool asked)
{
	c->reading.asked |= asked;
	c->reading.again = c->reading.busy;
	if (c->reading.busy)
		return;
	c->reading.busy = true;
	c->reading.job.work = work;
	c->reading.job.done = done;
	offload_post(c->config.files, &c->reading.job);
}

void control_reload(struct control *c)
{
	c->last_error[0] = '\0';
	read_bundle(c, true);
}

/* ---- what the server changes of the bundle ---- */

static void store_work(struct offload_job *job)
{
	struct control *c = container_of(job, struct control, storing.job);

	c->storing.err = bundle_write(c->config.bundle_path, &c->storing.bundle);
}

static void store_done(struct offload_job *job)
{
	struct control *c = container_of(job, struct control, storing.job);
	char scope[CONTROL_SCOPE_MAX];
	int err = c->storing.err;

	c->storing.busy = false;
	if (c->stopped)
		return;
	if (!err) {
		c->bundle = c->storing.bundle;
		control_scope(&c->bundle, scope);
		control_rules_rescope(c->rules, scope);
		control_link_renew(c->link, &c->bundle);
	}
	log_event(err ? LOG_ERROR : LOG_INFO,
		  err ? "control.bundle_not_stored" : "control.bundle_renewed",
		  LOGF_STR("path", c->config.bundle_path),
		  LOGF_STR("error", err ? strerror(-err) : NULL),
		  LOGF_FLAG("next_pin", c->bundle.has_next_pin));
	control_link_credential_stored(c->link, c->storing.serial, err ? strerror(-err) : "");
}

/* What the bundle becomes. False: it makes no sense. */
static bool renewed(const struct bundle *was, const Portunus__V1__CredentialUpdate *u,
		    struct bundle *out)
{
	size_t n = u->n_server_cert_sha256;

	*out = *was;
	if (n > 2 || strlen(u->token) >= sizeof(out->token) ||
	    (n > 0 && hex_read_whole(u->server_cert_sha256[0], out->pin, sizeof(out->pin))) ||
	    (n > 1 &&
	     hex_read_whole(u->server_cert_sha256[1], out->next_pin, sizeof(out->next_pin))))
		return false;
	if (n) {
		out->has_next_pin = n == 2;
		if (n == 1)
			memset(out->next_pin, 0, sizeof(out->next_pin));
	}
	if (*u->token)
		snprintf(out->token, sizeof(out->token), "%s", u->token);
	return true;
}

static void on_credential(void *arg, const Portunus__V1__CredentialUpdate *u)
{
	struct control *c = arg;

	if (c->storing.busy) {
		control_link_credential_stored(c->link, u->serial,
					       "another update is being stored");
		return;
	}
	if (!renewed(&c->bundle, u, &c->storing.bundle)) {
		control_link_credential_stored(c->link, u->serial, "not understood");
		return;
	}
	c->storing.busy = true;
	c->storing.serial = u->serial;
	c->storing.job.work = store_work;
	c->storing.job.done = store_done;
	offload_post(c->config.files, &c->storing.job);
}

/* ---- what the link tells ---- */

/* 0 stands for the default. They hold for running rules too, and no flow ends by that. */
static void set_flow_limits(struct flow_limits *limits, const Portunus__V1__Welcome *w)
{
	atomic_store(&limits->idle_secs,
		     w->udp_flow_idle_secs ? w->udp_flow_idle_secs : FLOW_IDLE_SECS);
	atomic_store(&limits->max_flows,
		     w->udp_max_flows_per_rule ? w->udp_max_flows_per_rule : FLOWS_PER_RULE);
}

static bool announces(const Portunus__V1__Welcome *w, const char *capability)
{
	for (size_t i = 0; i < w->n_capabilities; i++)
		if (!strcmp(w->capabilities[i], capability))
			return true;
	return false;
}

static void on_up(void *arg, const Portunus__V1__Welcome *w)
{
	struct control *c = arg;

	c->connected = true;
	c->last_error[0] = '\0';
	c->since_unix_ms = clock_wall_ms();
	snprintf(c->server_version, sizeof(c->server_version), "%s", w->server_version);
	set_flow_limits(c->config.flow_limits, w);
	atomic_store(c->config.no_sni_alert, w->no_sni_alert || c->config.never_sni_alert);
	log_event(LOG_INFO, "control.connected", LOGF_STR("server", c->bundle.server_endpoint),
		  LOGF_STR("server_version", w->server_version),
		  LOGF_UINT("rules", rule_table_size(c->config.table)));
	/* The replay of a server with caps says whose there are, so that the others are none. */
	control_rules_session(c->rules, announces(w, CAPABILITY_RATE_LIMIT));
	stats_begin(c->stats, announces(w, CAPABILITY_STATS_REQUEST));
}

static const struct {
	enum log_level level;
	const char *event, *hint;
} endings[] = {
	[LINK_FAILED] = {LOG_WARN, "control.connect_failed", "the rules stay in force"},
	[LINK_LOST] = {LOG_WARN, "control.lost", "the rules stay in force"},
	[LINK_SUPERSEDED] = {LOG_ERROR, "control.superseded",
			     "another process uses this credential, on this host or on another: "
			     "enroll each edge by itself. The rules stay in force; this edge comes "
			     "back after minutes"},
	[LINK_REFUSED] =
		{LOG_ERROR, "control.connect_failed",
		 "the rules stay in force; tried every 30 s. A new bundle (enroll) is read "
		 "then, and on SIGHUP"},
	[LINK_ROTATED] = {LOG_WARN, "control.token_rotated",
			  "the rules stay in force; the bundle is read again"},
	[LINK_REVOKED] =
		{LOG_ERROR, "control.revoked",
		 "the server revoked this client: its rules are drained; enroll again, then "
		 "SIGHUP or restart"},
};

static void on_down(void *arg, enum link_end how, const char *why)
{
	struct control *c = arg;
	/* The same trouble is told once; what comes after it, at the debug level. */
	bool again = !strcmp(c->last_error, why);

	if (c->connected)
		c->since_unix_ms = clock_wall_ms();
	c->connected = false;
	stats_end(c->stats);
	flow_lists_end(c->flows);
	log_event(again ? LOG_DEBUG : endings[how].level, endings[how].event,
		  LOGF_STR("server", c->bundle.server_endpoint), LOGF_STR("error", why),
		  LOGF_UINT("rules", rule_table_size(c->config.table)),
		  LOGF_STR("hint", endings[how].hint));
	snprintf(c->last_error, sizeof(c->last_error), "%s", why);
	if (how == LINK_REVOKED) {
		c->revoked = true;
		control_rules_revoke(c->rules);
	} else if (how == LINK_ROTATED || how == LINK_REFUSED) {
		read_bundle(c, false);
	}
}

static void on_drained(void *arg)
{
	stats_drained(((struct control *)arg)->stats);
}

static const char *on_push(void *arg, const struct rule *rule)
{
	return control_rules_push(((struct control *)arg)->rules, rule);
}

static void on_refused(void *arg, uint64_t rule_id)
{
	control_rules_refused(((struct control *)arg)->rules, rule_id);
}

static bool on_remove(void *arg, uint64_t rule_id, uint64_t *saved_by)
{
	return control_rules_remove(((struct control *)arg)->rules, rule_id, saved_by);
}

static void on_owner_caps(void *arg, const char *owner, const struct rate_limit *limit)
{
	control_rules_cap_owner(((struct control *)arg)->rules, owner, limit);
}

static void on_replayed(void *arg, bool whole)
{
	struct control *c = arg;

	if (whole)
		control_rules_replayed(c->rules);
	else
		log_event(LOG_WARN, "control.replay_incomplete",
			  LOGF_UINT("unconfirmed", control_rules_unconfirmed(c->rules)),
			  LOGF_STR("hint",
				   "fewer rules came than the server sent; those that it did "
				   "not name stay in force"));
	stats_report_now(c->stats);
}

static void on_stats_wanted(void *arg, const struct stats_request *wanted)
{
	stats_answer(((struct control *)arg)->stats, wanted);
}

static void on_flows_wanted(void *arg, uint64_t request_id, uint64_t rule_id)
{
	flow_list_answer(((struct control *)arg)->flows, request_id, rule_id);
}

static void on_failback(void *arg, uint64_t rule_id)
{
	struct control *c = arg;

	if (rule_table_fail_back(c->config.table, rule_id) == -ENOENT)
		log_event(LOG_WARN, "control.unknown_rule", LOGF_UINT("rule", rule_id),
			  LOGF_STR("message", "asked to fail back a rule that is not here"));
}

static const struct link_ops link_ops = {
	.up = on_up,
	.down = on_down,
	.drained = on_drained,
	.push = on_push,
	.refused = on_refused,
	.remove = on_remove,
	.owner_caps = on_owner_caps,
	.replayed = on_replayed,
	.stats_wanted = on_stats_wanted,
	.credential = on_credential,
	.failback = on_failback,
	.flows_wanted = on_flows_wanted,
};

/* ---- news ---- */

void control_network_changed(struct control *c)
{
	control_link_hurry(c->link);
}

void control_rules_news(struct control *c, struct rule_state *rs)
{
	if (!rs)
		control_rules_changed(c->rules);
	else if (c->connected && rs->status == RULE_ACTIVE)
		control_link_rule_active(c->link, rs->id);
}

void control_health_news(struct control *c, const struct rule_state *rs)
{
	stats_health_changed(c->stats, rs->id);
}

void control_view(const struct control *c, struct control_view *out)
{
	*out = (struct control_view){
		.server = c->bundle.server_endpoint,
		.server_version = c->connected ? c->server_version : "",
		.last_error = c->last_error,
		.since_unix_ms = c->since_unix_ms,
		.connected = c->connected,
		.revoked = c->revoked,
		.unconfirmed = control_rules_unconfirmed(c->rules),
	};
}

/* ---- life ---- */

static int send_report(void *arg, Portunus__V1__StatsReport *report)
{
	struct control *c = arg;

	return control_link_report(c->link, report);
}

static void send_flows(void *arg, Portunus__V1__FlowList *list)
{
	struct control *c = arg;

	control_link_flows(c->link, list);
}

static void on_saved(void *arg, uint64_t upto)
{
	struct control *c = arg;

	if (c->link)
		control_link_saved(c->link, upto);
}

struct control *control_new(const struct control_config *config)
{
	struct control *c = calloc(1, sizeof(*c));
	char scope[CONTROL_SCOPE_MAX];
	struct control_rules_config rules = {
		.base = config->base,
		.table = config->table,
		.account = config->account,
		.files = config->files,
		.path = config->saved_path,
		.scope = scope,
		.saved = on_saved,
		.arg = c,
	};
	struct stats_config stats = {
		.base = config->base,
		.table = config->table,
		.account = config->account,
		.refresher = config->refresher,
		.interval_secs = config->report_interval_secs,
		.send = send_report,
		.arg = c,
	};
	struct flow_list_config flows = {
		.base = config->base,
		.workers = config->table->config.workers,
		.n_workers = config->table->config.n_workers,
		.send = send_flows,
		.arg = c,
	};
	struct link_config link = {
		.base = config->base,
		.ops = &link_ops,
		.arg = c,
		.reconnect_initial_ms = config->reconnect_initial_ms,
		.reconnect_max_secs = config->reconnect_max_secs,
		.kernel_accounting = account_mode(config->account) == ACCOUNT_BPF,
	};
	const char *wrong;

	if (!c)
		return NULL;
	c->config = *config;
	control_scope(config->bundle, scope);
	c->rules = control_rules_new(&rules);
	c->stats = stats_sender_new(&stats);
	c->flows = flow_lists_new(&flows);
	c->link = control_link_new(&link);
	c->bundle = *config->bundle;
	if (!c->rules || !c->stats || !c->flows || !c->link)
		goto err;
	wrong = control_link_check(&c->bundle);
	if (!wrong) {
		if (!bundle_is_private(config->bundle_path))
			warn_of_mode(c);
		control_rules_load(c->rules);
		control_link_connect(c->link, &c->bundle);
		return c;
	}
	log_event(LOG_ERROR, "control.bundle_refused", LOGF_STR("path", config->bundle_path),
		  LOGF_STR("error", wrong), LOGF_STR("field", "server_endpoint"));
err:
	control_free(c);
	return NULL;
}

void control_stop(struct control *c)
{
	c->stopped = true;
	control_rules_flush(c->rules);
	control_link_stop(c->link);
}

void control_free(struct control *c)
{
	if (!c)
		return;
	control_link_free(c->link);
	stats_sender_free(c->stats);
	flow_lists_free(c->flows);
	control_rules_free(c->rules);
	free(c);
}
