// SPDX-License-Identifier: MIT
/* The link to the server: connecting, the hand-shake, how it ends, when it is tried again. */
#include "edge/control/link.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/control/backoff.h"
#include "edge/control/session.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/grpc/grpc.h"
#include "lib/tls/bundle.h"
#include "lib/tls/enroll_uri.h"

#define METHOD		 "/portunus.v1.Control/Channel"
#define WELCOME_SECS	 10 /* from the call to the server's Welcome */
#define REFUSED_RETRY_MS 30000
#define ROTATED_RETRY_MS 1000 /* whoever rotates a token writes the new bundle about now */
#define HURRY_EVERY_SECS 5    /* hosts of containers change their network all the time */
#define STEADY_SECS	 10   /* a session that lasted so long was no failure */
#define TEXT_MAX	 512
/* Two hosts with one credential throw each other out as often as they come: rarely, then. */
#define SUPERSEDED_MIN_MS 60000
#define SUPERSEDED_MAX_MS 600000

static const struct timeval welcome_time = {.tv_sec = WELCOME_SECS};

struct control_link {
	struct link_config config;
	char host[ENROLL_HOST_MAX];
	uint16_t port;
	struct bundle bundle;
	struct event *retry, *welcome_timer;
	unsigned attempt;    /* failures in a row */
	unsigned superseded; /* times in a row */
	bool reachable;	     /* the server was heard: what it said has nothing to do with routes */
	bool stopped;
	uint64_t hurried_ns; /* when a change of the network last cut a wait short */

	/* Of the connection; NULL while there is none. */
	struct grpc_conn *conn;
	struct grpc_call *call;
	struct session *session;
	uint64_t up_ns; /* since when there is a session; 0: not yet */
	int status;	/* of the call that has ended */
	char status_text[TEXT_MAX];
};

/* ---- the end of a session, or of an attempt ---- */

static void retry_in(struct control_link *l, uint32_t ms)
{
	struct timeval in = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	evtimer_add(l->retry, &in);
}

static void back_off(struct control_link *l)
{
	uint32_t ms = control_backoff_ms(l->config.reconnect_initial_ms,
					 l->config.reconnect_max_secs * 1000, l->attempt);

	if (l->attempt < 32)
		l->attempt++;
	retry_in(l, arc4random_uniform(ms + 1));
}

/* At least half of the time, and not in step with the other holder of the credential. */
static void stand_back(struct control_link *l)
{
	uint32_t ms = control_backoff_ms(SUPERSEDED_MIN_MS, SUPERSEDED_MAX_MS, l->superseded);

	if (l->superseded < 32)
		l->superseded++;
	retry_in(l, ms / 2 + arc4random_uniform(ms / 2 + 1));
}

static void choose_retry(struct control_link *l, enum link_end how, bool was_up)
{
	l->reachable = true;
	switch (how) {
	case LINK_REVOKED:
		break;
	case LINK_REFUSED:
		retry_in(l, REFUSED_RETRY_MS);
		break;
	case LINK_ROTATED:
		retry_in(l, was_up ? ROTATED_RETRY_MS : REFUSED_RETRY_MS);
		break;
	case LINK_SUPERSEDED:
		stand_back(l);
		break;
	case LINK_FAILED:
	case LINK_LOST:
		l->reachable = false;
		back_off(l);
		break;
	}
}

static enum link_end how_it_ended(const struct control_link *l, int err, bool was_up)
{
	/* What the server answered says more than how the connection ended. */
	if (l->status == GRPC_UNAUTHENTICATED && !strcmp(l->status_text, "token_revoked"))
		return LINK_REVOKED;
	if (!strcmp(l->status_text, "token_rotated"))
		return LINK_ROTATED;
	if (l->status == GRPC_UNAUTHENTICATED || err == -EKEYREJECTED)
		return LINK_REFUSED;
	if (was_up && !strcmp(l->status_text, "superseded"))
		return LINK_SUPERSEDED;
	return was_up ? LINK_LOST : LINK_FAILED;
}

static void end_session(struct control_link *l)
{
	evtimer_del(l->welcome_timer);
	session_free(l->session);
	l->session = NULL;
	l->call = NULL;
	l->up_ns = 0;
}

static void disconnect(struct control_link *l)
{
	if (l->conn)
		grpc_conn_free(l->conn);
	l->conn = NULL;
	end_session(l);
}

static void on_down(struct grpc_conn *conn, int err, const char *why, void *arg)
{
	struct control_link *l = arg;
	uint64_t lasted = l->up_ns ? clock_mono_ns() - l->up_ns : 0;
	bool was_up = l->up_ns != 0;
	enum link_end how = how_it_ended(l, err, was_up);

	l->conn = NULL;
	end_session(l);
	if (l->stopped)
		return;
	/* Not as soon as a session begins: two hosts with one credential begin sessions all the time. */
	if (lasted >= STEADY_SECS * NS_PER_SEC)
		l->attempt = 0;
	if (lasted >= 2ull * SUPERSEDED_MAX_MS * NS_PER_MS)
		l->superseded = 0;
	choose_retry(l, how, was_up);
	if (*l->status_text && (!err || l->status == GRPC_UNAUTHENTICATED))
		why = l->status_text;
	l->config.ops->down(l->config.arg, how, why);
}

/* ---- the call ---- */

static void on_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct control_link *l = arg;

	l->call = NULL;
	l->status = status;
	snprintf(l->status_text, sizeof(l->status_text), "%s", text);
	if (l->conn)
		grpc_conn_close(l->conn);
}

/* Ends the call for a reason of ours; the connection follows, and is tried again. */
static void give_up(struct control_link *l, int status, const char *why)
{
	if (l->call)
		grpc_call_cancel(l->call, status, why);
}

static void on_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	struct control_link *l = arg;
	int err = session_message(l->session, data, len);

	if (err == -EBADMSG)
		log_event(LOG_WARN, "control.message_ignored", LOGF_UINT("bytes", len),
			  LOGF_STR("message", "not a message of the control channel"));
	else if (err)
		give_up(l, GRPC_INTERNAL, strerror(-err));
}

static void on_drained(struct grpc_call *call, void *arg)
{
	struct control_link *l = arg;
	int err = session_drained(l->session);

	if (!err)
		l->config.ops->drained(l->config.arg);
	else if (err != -EAGAIN)
		give_up(l, GRPC_INTERNAL, strerror(-err));
}

static void on_no_welcome(evutil_socket_t fd, short what, void *arg)
{
	give_up(arg, GRPC_DEADLINE_EXCEEDED, "the server did not say Welcome within 10 s");
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
	struct control_link *l = arg;

	return l->call ? grpc_call_send(l->call, data, len) : -EPIPE;
}

static void session_pause(void *arg, bool paused)
{
	struct control_link *l = arg;

	if (l->call)
		grpc_call_pause(l->call, paused);
}

static void session_welcome(void *arg, const Portunus__V1__Welcome *w)
{
	struct control_link *l = arg;

	evtimer_del(l->welcome_timer);
	l->up_ns = clock_mono_ns();
	l->config.ops->up(l->config.arg, w);
}

static const char *session_push(void *arg, const struct rule *rule)
{
	struct control_link *l = arg;

	return l->config.ops->push(l->config.arg, rule);
}

static void session_refused(void *arg, uint64_t rule_id)
{
	struct control_link *l = arg;

	l->config.ops->refused(l->config.arg, rule_id);
}

static bool session_remove(void *arg, uint64_t rule_id, uint64_t *saved_by)
{
	struct control_link *l = arg;

	return l->config.ops->remove(l->config.arg, rule_id, saved_by);
}

static void session_owner_caps(void *arg, const char *owner, const struct rate_limit *limit)
{
	struct control_link *l = arg;

	l->config.ops->owner_caps(l->config.arg, owner, limit);
}

static void session_replayed(void *arg, bool whole)
{
	struct control_link *l = arg;

	l->config.ops->replayed(l->config.arg, whole);
}

static void session_stats_wanted(void *arg, const struct stats_request *wanted)
{
	struct control_link *l = arg;

	l->config.ops->stats_wanted(l->config.arg, wanted);
}

static void session_credential(void *arg, const Portunus__V1__CredentialUpdate *u)
{
	struct control_link *l = arg;

	l->config.ops->credential(l->config.arg, u);
}

static void session_failback(void *arg, uint64_t rule_id)
{
	struct control_link *l = arg;

	l->config.ops->failback(l->config.arg, rule_id);
}

static void session_flows_wanted(void *arg, uint64_t request_id, uint64_t rule_id)
{
	struct control_link *l = arg;

	l->config.ops->flows_wanted(l->config.arg, request_id, rule_id);
}

static const struct session_ops session_ops = {
	.send = session_send,
	.pause = session_pause,
	.welcome = session_welcome,
	.push = session_push,
	.refused = session_refused,
	.remove = session_remove,
	.owner_caps = session_owner_caps,
	.replayed = session_replayed,
	.stats_wanted = session_stats_wanted,
	.credential = session_credential,
	.failback = session_failback,
	.flows_wanted = session_flows_wanted,
};

void control_link_flows(struct control_link *l, Portunus__V1__FlowList *list)
{
	if (l->session && session_flows(l->session, list))
		give_up(l, GRPC_INTERNAL, "a list of flows could not be sent");
}

int control_link_report(struct control_link *l, Portunus__V1__StatsReport *report)
{
	return l->session ? session_report(l->session, report) : -EPIPE;
}

void control_link_rule_active(struct control_link *l, uint64_t rule_id)
{
	if (l->up_ns && session_rule_active(l->session, rule_id))
		give_up(l, GRPC_INTERNAL, "a rule's status could not be sent");
}

void control_link_saved(struct control_link *l, uint64_t upto)
{
	if (l->session && session_saved(l->session, upto))
		give_up(l, GRPC_INTERNAL, "a removal could not be answered");
}

void control_link_credential_stored(struct control_link *l, uint64_t serial, const char *error)
{
	if (l->session && session_credential_stored(l->session, serial, error))
		give_up(l, GRPC_INTERNAL, "the update of the bundle could not be answered");
}

/* ---- connecting ---- */

static int open_channel(struct control_link *l)
{
	struct grpc_client_conf conf = {
		.host = l->host,
		.port = l->port,
		.pin = l->bundle.pin,
		.next_pin = l->bundle.has_next_pin ? l->bundle.next_pin : NULL,
	};
	char authorization[sizeof(l->bundle.token) + 8];

	snprintf(authorization, sizeof(authorization), "Bearer %s", l->bundle.token);
	l->session = session_new(&session_ops, l);
	l->conn = l->session ? grpc_client_connect(l->config.base, &conf, &conn_ops, l) : NULL;
	if (!l->conn)
		return -errno;
	l->call = grpc_call_open(l->conn, METHOD, authorization, &call_ops, l);
	if (!l->call)
		return -errno;
	/* First and without waiting: existing servers answer nothing before it. */
	return session_hello(l->session, l->config.kernel_accounting);
}

static void connect_now(struct control_link *l)
{
	int err;

	evtimer_del(l->retry);
	l->status = GRPC_OK;
	l->status_text[0] = '\0';
	err = open_channel(l);
	if (!err) {
		evtimer_add(l->welcome_timer, &welcome_time);
		return;
	}
	disconnect(l);
	choose_retry(l, LINK_FAILED, false);
	l->config.ops->down(l->config.arg, LINK_FAILED, strerror(-err));
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	connect_now(arg);
}

const char *control_link_check(const struct bundle *b)
{
	char host[ENROLL_HOST_MAX];
	uint16_t port;

	return endpoint_split(b->server_endpoint, strlen(b->server_endpoint), host, &port);
}

void control_link_connect(struct control_link *l, const struct bundle *b)
{
	l->bundle = *b;
	endpoint_split(l->bundle.server_endpoint, strlen(l->bundle.server_endpoint), l->host,
		       &l->port);
	l->attempt = 0;
	l->superseded = 0;
	disconnect(l);
	connect_now(l);
}

void control_link_renew(struct control_link *l, const struct bundle *b)
{
	l->bundle = *b;
}

void control_link_hurry(struct control_link *l)
{
	uint64_t now = clock_mono_ns();

	if (l->reachable || !evtimer_pending(l->retry, NULL) ||
	    now - l->hurried_ns < HURRY_EVERY_SECS * NS_PER_SEC)
		return;
	l->hurried_ns = now;
	retry_in(l, arc4random_uniform(l->config.reconnect_initial_ms + 1));
}

void control_link_stop(struct control_link *l)
{
	l->stopped = true;
	evtimer_del(l->retry);
	if (l->conn)
		grpc_conn_close(l->conn);
}

struct control_link *control_link_new(const struct link_config *config)
{
	struct control_link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->config = *config;
	l->retry = evtimer_new(config->base, on_retry, l);
	l->welcome_timer = evtimer_new(config->base, on_no_welcome, l);
	if (l->retry && l->welcome_timer)
		return l;
	control_link_free(l);
	return NULL;
}

void control_link_free(struct control_link *l)
{
	if (!l)
		return;
	if (l->conn)
		grpc_conn_free(l->conn);
	session_free(l->session);
	if (l->retry)
		event_free(l->retry);
	if (l->welcome_timer)
		event_free(l->welcome_timer);
	free(l);
}
