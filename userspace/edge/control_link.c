// SPDX-License-Identifier: MIT
/* The link to the server: connecting, the hand-shake, how it ends, when it is tried again. */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account.h"
#include "edge/apply.h"
#include "edge/control_backoff.h"
#include "edge/control_private.h"
#include "edge/control_rules.h"
#include "edge/control_session.h"
#include "edge/control_stats.h"
#include "lib/clock.h"
#include "lib/grpc.h"
#include "lib/log.h"

#define METHOD		 "/portunus.v1.Control/Channel"
#define WELCOME_SECS	 10 /* from the call to the server's Welcome */
#define REFUSED_RETRY_MS 30000

static const struct timeval welcome_time = {.tv_sec = WELCOME_SECS};

/* ---- the end of a session, or of an attempt ---- */

static void retry_in(struct control *c, uint32_t ms)
{
	struct timeval in = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	evtimer_add(c->retry, &in);
}

void control_retry_within(struct control *c, uint32_t ms)
{
	retry_in(c, arc4random_uniform(ms + 1));
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
	control_retry_within(c, ms);
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

void control_disconnect(struct control *c)
{
	if (c->conn)
		grpc_conn_free(c->conn);
	c->conn = NULL;
	end_session(c);
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

void control_give_up(struct control *c, int status, const char *why)
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
		control_give_up(c, GRPC_INTERNAL, strerror(-err));
}

static void on_drained(struct grpc_call *call, void *arg)
{
	struct control *c = arg;
	int err = session_drained(c->session);

	if (!err)
		stats_drained(c->stats);
	else if (err != -EAGAIN)
		control_give_up(c, GRPC_INTERNAL, strerror(-err));
}

static void on_no_welcome(evutil_socket_t fd, short what, void *arg)
{
	control_give_up(arg, GRPC_DEADLINE_EXCEEDED, "the server did not say Welcome within 10 s");
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

void control_connect(struct control *c)
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
	control_disconnect(c);
	on_lost(c, false, strerror(-err));
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	control_connect(arg);
}

int control_link_init(struct control *c)
{
	c->retry = evtimer_new(c->config.base, on_retry, c);
	c->welcome_timer = evtimer_new(c->config.base, on_no_welcome, c);
	return c->retry && c->welcome_timer ? 0 : -ENOMEM;
}

void control_link_free(struct control *c)
{
	if (c->conn)
		grpc_conn_free(c->conn);
	session_free(c->session);
	if (c->retry)
		event_free(c->retry);
	if (c->welcome_timer)
		event_free(c->welcome_timer);
}
