// SPDX-License-Identifier: MIT
/* The control channel's life: connecting, the hand-shake, loss and back-off, refusal and revocation. */
#include "edge/control.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account.h"
#include "edge/apply.h"
#include "edge/control_backoff.h"
#include "edge/control_rules.h"
#include "edge/control_session.h"
#include "edge/control_stats.h"
#include "lib/bundle.h"
#include "lib/clock.h"
#include "lib/enroll_uri.h"
#include "lib/grpc.h"
#include "lib/hex.h"
#include "lib/log.h"

#define METHOD		 "/portunus.v1.Control/Channel"
#define WELCOME_SECS	 10 /* from the call to the server's Welcome */
#define HURRY_EVERY_SECS 5  /* hosts of containers change their network all the time */
#define REFUSED_RETRY_MS 30000
#define TEXT_MAX	 512

static const struct timeval welcome_time = {.tv_sec = WELCOME_SECS};

struct control {
	struct control_config config;
	struct bundle bundle;
	char host[ENROLL_HOST_MAX];
	uint16_t port;
	struct control_rules *rules;
	struct stats_sender *stats;
	struct event *retry, *welcome_timer;
	unsigned attempt;
	bool stopped, revoked, refused, connected;
	char server_version[64];
	char last_error[TEXT_MAX];
	uint64_t since_unix_ms;
	uint64_t hurried_ns; /* when a change of the network last cut a wait short */

	/* Of the connection; NULL while there is none. */
	struct grpc_conn *conn;
	struct grpc_call *call;
	struct session *session;
	int status; /* of the call that has ended */
	char status_text[TEXT_MAX];
};

static void connect_now(struct control *c);

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

/* ---- the end of a session, or of an attempt ---- */

static void retry_in(struct control *c, uint32_t ms)
{
	struct timeval in = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	evtimer_add(c->retry, &in);
}

/* The same trouble is told once; what comes after it, at the debug level. */
static void tell(struct control *c, enum log_level level, const char *event, const char *why,
		 const char *hint)
{
	bool again = !strcmp(c->last_error, why);

	log_event(again ? LOG_DEBUG : level, event, LOGF_STR("server", c->bundle.server_endpoint),
		  LOGF_STR("error", why), LOGF_STR("hint", hint));
	snprintf(c->last_error, sizeof(c->last_error), "%s", why);
}

static void on_revoked(struct control *c)
{
	c->revoked = true;
	log_event(LOG_ERROR, "control.revoked", LOGF_STR("server", c->bundle.server_endpoint),
		  LOGF_UINT("rules", edge_rules(c->config.edge)),
		  LOGF_STR("hint", "the server revoked this client: its rules are drained; enroll "
				   "again, then SIGHUP or restart"));
	snprintf(c->last_error, sizeof(c->last_error), "token_revoked");
	control_rules_revoke(c->rules);
}

static void on_refused(struct control *c, const char *why)
{
	tell(c, LOG_ERROR, "control.connect_failed", why,
	     "the rules stay in force; tried every 30 s. A new bundle (enroll) is read on SIGHUP");
	c->refused = true;
	retry_in(c, REFUSED_RETRY_MS);
}

static void on_lost(struct control *c, bool was_connected, const char *why)
{
	uint32_t max = c->config.reconnect_max_secs * 1000;
	uint32_t ms;

	if (was_connected) {
		c->attempt = 0;
		c->last_error[0] = '\0';
	}
	tell(c, LOG_WARN, was_connected ? "control.lost" : "control.connect_failed", why,
	     "the rules stay in force");
	ms = control_backoff_ms(c->config.reconnect_initial_ms, max, c->attempt);
	if (c->attempt < 32)
		c->attempt++;
	retry_in(c, ms ? arc4random_uniform(ms + 1) : 0);
}

static void end_session(struct control *c)
{
	stats_end(c->stats);
	evtimer_del(c->welcome_timer);
	session_free(c->session);
	c->session = NULL;
	c->call = NULL;
	if (c->connected)
		c->since_unix_ms = clock_wall_ms();
	c->connected = false;
}

static void on_down(struct grpc_conn *conn, int err, const char *why, void *arg)
{
	struct control *c = arg;
	bool was_connected = c->connected;

	c->conn = NULL;
	end_session(c);
	if (c->stopped)
		return;
	/* What the server answered says more than how the connection ended. */
	if (c->status == GRPC_UNAUTHENTICATED && !strcmp(c->status_text, "token_revoked"))
		on_revoked(c);
	else if (c->status == GRPC_UNAUTHENTICATED)
		on_refused(c, c->status_text);
	else if (err == -EKEYREJECTED)
		on_refused(c, why);
	else
		on_lost(c, was_connected, err || !*c->status_text ? why : c->status_text);
}

/* ---- the call ---- */

static void on_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct control *c = arg;

	c->call = NULL;
	c->status = status;
	snprintf(c->status_text, sizeof(c->status_text), "%s", text);
	if (c->conn)
		grpc_conn_close(c->conn);
}

static void give_up_call(struct control *c, int status, const char *why)
{
	if (c->call)
		grpc_call_cancel(c->call, status, why);
}

static void on_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	struct control *c = arg;
	int err = session_message(c->session, data, len);

	if (err == -EBADMSG)
		log_event(LOG_WARN, "control.message_ignored", LOGF_UINT("bytes", len),
			  LOGF_STR("message", "not a message of the control channel"));
	else if (err)
		give_up_call(c, GRPC_INTERNAL, strerror(-err));
}

static void on_drained(struct grpc_call *call, void *arg)
{
	struct control *c = arg;
	int err = session_drained(c->session);

	if (!err)
		stats_drained(c->stats);
	else if (err != -EAGAIN)
		give_up_call(c, GRPC_INTERNAL, strerror(-err));
}

static void on_no_welcome(evutil_socket_t fd, short what, void *arg)
{
	give_up_call(arg, GRPC_DEADLINE_EXCEEDED, "the server did not say Welcome within 10 s");
}

static const struct grpc_call_ops call_ops = {
	.message = on_message,
	.drained = on_drained,
	.closed = on_closed,
};

static const struct grpc_conn_ops conn_ops = {.down = on_down};

/* ---- what the session asks for ---- */

static int session_send(void *arg, const uint8_t *data, size_t len)
{
	struct control *c = arg;

	return c->call ? grpc_call_send(c->call, data, len) : -EPIPE;
}

static void session_pause(void *arg, bool paused)
{
	struct control *c = arg;

	if (c->call)
		grpc_call_pause(c->call, paused);
}

static void session_welcome(void *arg, const char *version)
{
	struct control *c = arg;

	evtimer_del(c->welcome_timer);
	c->attempt = 0;
	c->connected = true;
	c->last_error[0] = '\0';
	c->since_unix_ms = clock_wall_ms();
	snprintf(c->server_version, sizeof(c->server_version), "%s", version);
	log_event(LOG_INFO, "control.connected", LOGF_STR("server", c->bundle.server_endpoint),
		  LOGF_STR("server_version", version),
		  LOGF_UINT("rules", edge_rules(c->config.edge)));
	control_rules_session(c->rules);
	stats_begin(c->stats);
}

static const char *session_push(void *arg, const struct rule *rule)
{
	struct control *c = arg;

	return control_rules_push(c->rules, rule);
}

static void session_refused(void *arg, uint64_t rule_id)
{
	struct control *c = arg;

	control_rules_refused(c->rules, rule_id);
}

static bool session_remove(void *arg, uint64_t rule_id)
{
	struct control *c = arg;

	return control_rules_remove(c->rules, rule_id);
}

static void session_replayed(void *arg, bool whole)
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

static void session_stats_wanted(void *arg, uint64_t request_id, const uint64_t *ids, size_t n)
{
	struct control *c = arg;

	stats_answer(c->stats, request_id, ids, n);
}

static const struct session_ops session_ops = {
	.send = session_send,
	.pause = session_pause,
	.welcome = session_welcome,
	.push = session_push,
	.refused = session_refused,
	.remove = session_remove,
	.replayed = session_replayed,
	.stats_wanted = session_stats_wanted,
};

static int send_report(void *arg, Portunus__V1__StatsReport *report)
{
	struct control *c = arg;

	return c->session ? session_report(c->session, report) : -EPIPE;
}

/* ---- connecting ---- */

static int open_channel(struct control *c)
{
	struct grpc_client_conf conf = {.host = c->host, .port = c->port, .pin = c->bundle.pin};
	char authorization[sizeof(c->bundle.token) + 8];

	snprintf(authorization, sizeof(authorization), "Bearer %s", c->bundle.token);
	c->session = session_new(&session_ops, c);
	c->conn = c->session ? grpc_client_connect(c->config.base, &conf, &conn_ops, c) : NULL;
	if (!c->conn)
		return -errno;
	c->call = grpc_call_open(c->conn, METHOD, authorization, &call_ops, c);
	if (!c->call)
		return -errno;
	/* First and without waiting: existing servers answer nothing before it. */
	return session_hello(c->session, account_mode(c->config.account) == ACCOUNT_BPF);
}

static void connect_now(struct control *c)
{
	int err;

	evtimer_del(c->retry);
	c->refused = false;
	c->status = GRPC_OK;
	c->status_text[0] = '\0';
	err = open_channel(c);
	if (!err) {
		evtimer_add(c->welcome_timer, &welcome_time);
		return;
	}
	if (c->conn)
		grpc_conn_free(c->conn);
	c->conn = NULL;
	end_session(c);
	on_lost(c, false, strerror(-err));
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	connect_now(arg);
}

void control_network_changed(struct control *c)
{
	uint64_t now = clock_mono_ns();

	/* Who was refused was heard: that has nothing to do with routes. */
	if (c->refused || !evtimer_pending(c->retry, NULL) ||
	    now - c->hurried_ns < HURRY_EVERY_SECS * NS_PER_SEC)
		return;
	c->hurried_ns = now;
	retry_in(c, arc4random_uniform(c->config.reconnect_initial_ms + 1));
}

static bool use_bundle(struct control *c, const struct bundle *b)
{
	const char *wrong = endpoint_split(b->server_endpoint, strlen(b->server_endpoint), c->host,
					   &c->port);

	if (wrong)
		log_event(LOG_ERROR, "control.bundle_refused",
			  LOGF_STR("path", c->config.bundle_path), LOGF_STR("error", wrong),
			  LOGF_STR("field", "server_endpoint"));
	else
		c->bundle = *b;
	return !wrong;
}

void control_reload(struct control *c)
{
	char why[BUNDLE_ERROR_SIZE], mine[CONTROL_SCOPE_MAX], theirs[CONTROL_SCOPE_MAX];
	struct bundle b;

	if (bundle_read(c->config.bundle_path, &b, why)) {
		log_event(LOG_ERROR, "control.bundle_refused", LOGF_STR("error", why),
			  LOGF_STR("hint", "the bundle in use is kept"));
		return;
	}
	control_scope(&c->bundle, mine);
	control_scope(&b, theirs);
	/* A server whose certificate was renewed is known by another pin; an id is made only once. */
	if (strcmp(mine, theirs) && (!*b.client_id || strcmp(b.client_id, c->bundle.client_id))) {
		log_event(LOG_ERROR, "control.bundle_refused",
			  LOGF_STR("path", c->config.bundle_path),
			  LOGF_STR("error", "it is for another server or client"),
			  LOGF_STR("hint", "restart portunus-client to change over"));
		return;
	}
	if (c->connected && !strcmp(mine, theirs) && !strcmp(b.token, c->bundle.token) &&
	    !strcmp(b.server_endpoint, c->bundle.server_endpoint))
		return;
	if (!use_bundle(c, &b))
		return;
	control_rules_rescope(c->rules, theirs);
	log_event(LOG_INFO, "control.bundle_loaded", LOGF_STR("path", c->config.bundle_path));
	c->revoked = false;
	c->attempt = 0;
	c->last_error[0] = '\0';
	if (c->conn)
		grpc_conn_free(c->conn);
	c->conn = NULL;
	end_session(c);
	connect_now(c);
}

/* ---- news ---- */

void control_rules_news(struct control *c, struct rule_state *rs)
{
	if (!rs)
		control_rules_changed(c->rules);
	else if (c->connected && rs->status == RULE_ACTIVE &&
		 session_rule_active(c->session, rs->id))
		give_up_call(c, GRPC_INTERNAL, "a rule's status could not be sent");
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

struct control *control_new(const struct control_config *config)
{
	struct control *c = calloc(1, sizeof(*c));
	char scope[CONTROL_SCOPE_MAX];
	struct control_rules_config rules = {
		.base = config->base,
		.edge = config->edge,
		.account = config->account,
		.path = config->saved_path,
		.scope = scope,
	};
	struct stats_config stats = {
		.base = config->base,
		.edge = config->edge,
		.account = config->account,
		.refresher = config->refresher,
		.interval_secs = config->report_interval_secs,
		.send = send_report,
		.arg = c,
	};

	if (!c)
		return NULL;
	c->config = *config;
	control_scope(config->bundle, scope);
	c->rules = control_rules_new(&rules);
	c->stats = stats_sender_new(&stats);
	c->retry = evtimer_new(config->base, on_retry, c);
	c->welcome_timer = evtimer_new(config->base, on_no_welcome, c);
	if (!c->rules || !c->stats || !c->retry || !c->welcome_timer ||
	    !use_bundle(c, config->bundle)) {
		control_free(c);
		return NULL;
	}
	control_rules_load(c->rules);
	connect_now(c);
	return c;
}

void control_stop(struct control *c)
{
	c->stopped = true;
	evtimer_del(c->retry);
	control_rules_flush(c->rules);
	if (c->conn)
		grpc_conn_close(c->conn);
}

void control_free(struct control *c)
{
	if (!c)
		return;
	if (c->conn)
		grpc_conn_free(c->conn);
	session_free(c->session);
	stats_sender_free(c->stats);
	control_rules_free(c->rules);
	if (c->retry)
		event_free(c->retry);
	if (c->welcome_timer)
		event_free(c->welcome_timer);
	free(c);
}
