// SPDX-License-Identifier: MIT
/* Control streams of edges over gRPC. */
#include "server/control/stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "lib/base/addr.h"
#include "lib/base/clock.h"
#include "lib/grpc/grpc.h"
#include "lib/base/log.h"
#include "lib/base/log_budget.h"
#include "lib/wire/capability.h"
#include "lib/wire/portunus.pb-c.h"
#include "lib/wire/text.h"
#include "lib/rule/proto.h"
#include "lib/base/secret.h"
#include "server/access/auth_failure.h"
#include "server/fleet/fleet.h"
#include "server/fleet/flows.h"
#include "server/fleet/rotation.h"
#include "server/control/report_proto.h"
#include "server/control/enroll.h"

#define PATH_CHANNEL   "/portunus.v1.Control/Channel"
#define PATH_ENROLL    "/portunus.v1.ClientEnrollment/Enroll"
#define TOKEN_MAX      256
#define HELLO_SECS     10
#define CAPABILITY_MAX 64

struct sessions {
	struct sessions_config config;
	struct enroll *enroll;
	struct log_budget strangers; /* log lines about them */
};

/*
 * One control stream. It lives as long as its call: closed() frees it. @session is NULL before the
 * first message and after the fleet has dropped it.
 */
struct link {
	struct sessions *all;
	struct grpc_call *call;
	struct session *session;
	struct event *hello_timer;
	bool welcomed;
};

struct sessions *sessions_new(const struct sessions_config *config)
{
	struct sessions *s = calloc(1, sizeof(*s));

	if (s)
		s->config = *config;
	return s;
}

void sessions_set_enroll(struct sessions *s, struct enroll *enroll)
{
	s->enroll = enroll;
}

void sessions_free(struct sessions *s)
{
	free(s);
}

/* ---- what the fleet sends ---- */

static int send_message(struct link *l, const Portunus__V1__ServerMessage *msg)
{
	size_t len = portunus__v1__server_message__get_packed_size(msg);
	uint8_t *buf = malloc(len ? len : 1);
	int err;

	if (!buf)
		return -ENOMEM;
	portunus__v1__server_message__pack(msg, buf);
	err = grpc_call_send(l->call, buf, len);
	free(buf);
	return err;
}

static int send_update(struct link *l, const char *request_id, const struct rule *rule,
		       Portunus__V1__RuleAction action)
{
	Portunus__V1__ServerMessage msg = PORTUNUS__V1__SERVER_MESSAGE__INIT;
	Portunus__V1__RuleUpdate update = PORTUNUS__V1__RULE_UPDATE__INIT;
	struct rule_proto proto;

	rule_to_proto(rule, l->session->rule_options, &proto);
	update.request_id = (char *)request_id;
	update.action = action;
	update.rule = &proto.msg;
	msg.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_RULE_UPDATE;
	msg.rule_update = &update;
	return send_message(l, &msg);
}

static int link_push(void *link, const char *request_id, const struct rule *rule)
{
	return send_update(link, request_id, rule, PORTUNUS__V1__RULE_ACTION__PUSH);
}

static int link_remove(void *link, const char *request_id, const struct rule *rule)
{
	return send_update(link, request_id, rule, PORTUNUS__V1__RULE_ACTION__REMOVE);
}

static int link_stats_request(void *link, uint64_t serial, bool per_port, const uint64_t *rule_ids,
			      size_t n)
{
	Portunus__V1__ServerMessage msg = PORTUNUS__V1__SERVER_MESSAGE__INIT;
	Portunus__V1__StatsRequest request = PORTUNUS__V1__STATS_REQUEST__INIT;

	request.request_id = serial;
	request.n_rule_ids = n;
	request.rule_ids = (uint64_t *)rule_ids;
	msg.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_STATS_REQUEST;
	request.per_port = per_port;
	msg.stats_request = &request;
	return send_message(link, &msg);
}

static int link_replay_done(void *link, uint32_t count)
{
	Portunus__V1__ServerMessage msg = PORTUNUS__V1__SERVER_MESSAGE__INIT;
	Portunus__V1__ReplayDone done = PORTUNUS__V1__REPLAY_DONE__INIT;

	done.count = count;
	msg.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_REPLAY_DONE;
	msg.replay_done = &done;
	return send_message(link, &msg);
}

static int link_credential(void *link, uint64_t serial, const struct outbox_credential *c)
{
	Portunus__V1__ServerMessage msg = PORTUNUS__V1__SERVER_MESSAGE__INIT;
	Portunus__V1__CredentialUpdate update = PORTUNUS__V1__CREDENTIAL_UPDATE__INIT;
	char *pins[] = {(char *)c->pin_hex, (char *)c->next_pin_hex};

	update.serial = serial;
	update.server_cert_sha256 = pins;
	update.n_server_cert_sha256 = !*c->pin_hex ? 0 : *c->next_pin_hex ? 2 : 1;
	update.token = (char *)c->token;
	msg.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_CREDENTIAL_UPDATE;
	msg.credential_update = &update;
	return send_message(link, &msg);
}

static int link_failback(void *link, uint64_t rule_id)
{
	Portunus__V1__ServerMessage msg = PORTUNUS__V1__SERVER_MESSAGE__INIT;
	Portunus__V1__FailbackRequest request = PORTUNUS__V1__FAILBACK_REQUEST__INIT;

	request.rule_id = rule_id;
	msg.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_FAILBACK;
	msg.failback = &request;
	return send_message(link, &msg);
}

static int link_owner_caps(void *link, const struct fleet_client *c, const char *owner,
			   const struct rate_limit *limit)
{
	Portunus__V1__ServerMessage msg = PORTUNUS__V1__SERVER_MESSAGE__INIT;
	Portunus__V1__OwnerRateLimitUpdate update = PORTUNUS__V1__OWNER_RATE_LIMIT_UPDATE__INIT;
	Portunus__V1__RateLimit caps;

	update.client_name = c->name;
	update.client_id = (char *)c->id;
	update.owner_id = (char *)owner;
	update.action = PORTUNUS__V1__OWNER_RATE_LIMIT_ACTION__OWNER_RATE_LIMIT_ACTION_REMOVE;
	if (limit) {
		rate_limit_to_proto(limit, &caps);
		update.action = PORTUNUS__V1__OWNER_RATE_LIMIT_ACTION__OWNER_RATE_LIMIT_ACTION_SET;
		update.rate_limit = &caps;
	}
	msg.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_OWNER_RATE_LIMIT_UPDATE;
	msg.owner_rate_limit_update = &update;
	return send_message(link, &msg);
}

static int link_flow_list_request(void *link, uint64_t serial, uint64_t rule_id)
{
	Portunus__V1__ServerMessage msg = PORTUNUS__V1__SERVER_MESSAGE__INIT;
	Portunus__V1__FlowListRequest request = PORTUNUS__V1__FLOW_LIST_REQUEST__INIT;

	request.request_id = serial;
	request.rule_id = rule_id;
	msg.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_FLOW_LIST_REQUEST;
	msg.flow_list_request = &request;
	return send_message(link, &msg);
}

static void link_close(void *link, const char *reason)
{
	struct link *l = link;
	/* token_revoked orders the edge to stop forwarding; all else, a new token too, is a loss. */
	bool revoked = !strcmp(reason, "token_revoked");

	l->session = NULL;
	grpc_call_finish(l->call, revoked ? GRPC_UNAUTHENTICATED : GRPC_UNAVAILABLE, reason);
}

static const struct fleet_link_ops link_ops = {
	.push = link_push,
	.remove = link_remove,
	.stats_request = link_stats_request,
	.replay_done = link_replay_done,
	.owner_caps = link_owner_caps,
	.credential = link_credential,
	.failback = link_failback,
	.flow_list_request = link_flow_list_request,
	.close = link_close,
};

static int send_welcome(struct link *l)
{
	Portunus__V1__ServerMessage msg = PORTUNUS__V1__SERVER_MESSAGE__INIT;
	Portunus__V1__Welcome welcome = PORTUNUS__V1__WELCOME__INIT;
	char *capabilities[] = {CAPABILITY_STATS_REQUEST, CAPABILITY_REPLAY_DONE,
				CAPABILITY_RULE_UPDATE, CAPABILITY_RATE_LIMIT,
				CAPABILITY_RULE_OPTIONS};

	welcome.server_version = PORTUNUS_VERSION;
	welcome.server_time_unix_ms = clock_wall_ms();
	welcome.udp_flow_idle_secs = l->all->config.udp_flow_idle_secs;
	welcome.udp_max_flows_per_rule = l->all->config.udp_max_flows_per_rule;
	welcome.no_sni_alert = l->all->config.no_sni_alert;
	welcome.n_capabilities = sizeof(capabilities) / sizeof(capabilities[0]);
	welcome.capabilities = capabilities;
	msg.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_WELCOME;
	msg.welcome = &welcome;
	return send_message(l, &msg);
}

/* ---- what the edge sends ---- */

static bool has_udp(const Portunus__V1__Hello *h)
{
	for (size_t i = 0; i < h->n_supported_protocols; i++)
		if (h->supported_protocols[i] == PORTUNUS__V1__PROTOCOL__UDP)
			return true;
	return false;
}

/* The first message: Welcome goes out, then the replay. @h is NULL when it was no Hello. */
static void greet(struct link *l, const Portunus__V1__Hello *h)
{
	struct fleet_hello hello = {.client_version = ""};

	if (h) {
		hello.client_version = h->client_version;
		hello.udp = has_udp(h);
		hello.capabilities = (const char *const *)h->capabilities;
		hello.n_capabilities = h->n_capabilities < CAPABILITY_MAX ? h->n_capabilities
									  : CAPABILITY_MAX;
	}
	l->welcomed = true;
	event_del(l->hello_timer);
	send_welcome(l);
	fleet_session_hello(l->session, &hello);
}

static void take_status(struct link *l, const Portunus__V1__RuleStatus *s)
{
	switch (s->outcome) {
	case PORTUNUS__V1__ACTIVATION_OUTCOME__ACTIVATED:
		fleet_session_status(l->session, s->request_id, s->rule_id, FLEET_ACTIVATED, "");
		break;
	case PORTUNUS__V1__ACTIVATION_OUTCOME__FAILED:
		fleet_session_status(l->session, s->request_id, s->rule_id, FLEET_REFUSED,
				     s->reason);
		break;
	case PORTUNUS__V1__ACTIVATION_OUTCOME__REMOVED:
		fleet_session_status(l->session, s->request_id, s->rule_id, FLEET_REMOVED, "");
		break;
	default:
		log_event(LOG_WARN, "control.unknown_outcome", LOGF_INT("outcome", s->outcome));
	}
}

static void take_sni(struct link *l, const Portunus__V1__StatsReport *msg)
{
	size_t n = msg->n_sni_listener_stats;
	struct sni_figures *ports = calloc(n + 1, sizeof(*ports));

	for (size_t i = 0; ports && i < n; i++)
		ports[i] = sni_from_proto(msg->sni_listener_stats[i]);
	if (ports)
		fleet_session_sni(l->session, ports, n);
	free(ports);
}

static void take_owner_report(struct link *l, const Portunus__V1__OwnerRateLimitStats *msg)
{
	struct caps_figures figures;

	if (!msg->stats)
		return;
	caps_from_proto(msg->stats, &figures);
	fleet_session_owner_report(l->session, msg->owner_id, &figures);
}

static void take_report(struct link *l, const Portunus__V1__StatsReport *msg)
{
	struct rule_figures **figures = calloc(msg->n_stats + 1, sizeof(*figures));
	size_t n = 0;

	if (!figures)
		return;
	if (msg->accounting == PORTUNUS__V1__ACCOUNTING_MODE__ACCOUNTING_MODE_BPF)
		fleet_session_accounting(l->session, "bpf");
	else if (msg->accounting == PORTUNUS__V1__ACCOUNTING_MODE__ACCOUNTING_MODE_USER)
		fleet_session_accounting(l->session, "user");
	fleet_session_stalls(l->session, msg->worker_stalls);
	take_sni(l, msg);
	for (size_t i = 0; i < msg->n_stats; i++) {
		figures[n] = report_from_proto(msg->stats[i]);
		n += figures[n] != NULL;
	}
	for (size_t i = 0; i < msg->n_owner_rate_limit_stats; i++)
		take_owner_report(l, msg->owner_rate_limit_stats[i]);
	fleet_session_report(l->session, msg->request_id, msg->counter_epoch,
			     (const struct rule_figures *const *)figures, n);
	for (size_t i = 0; i < n; i++)
		free(figures[i]);
	free(figures);
}

static void take_flows(struct link *l, const Portunus__V1__FlowList *msg)
{
	size_t n = msg->n_rows < FLOW_LIST_MAX ? msg->n_rows : FLOW_LIST_MAX;
	struct flow_row *rows = calloc(n + 1, sizeof(*rows));

	for (size_t i = 0; rows && i < n; i++)
		rows[i] = (struct flow_row){
			.client = msg->rows[i]->client,
			.target = msg->rows[i]->target,
			.listen_port = (uint16_t)msg->rows[i]->listen_port,
			.age_ms = msg->rows[i]->age_ms,
			.idle_ms = msg->rows[i]->idle_ms,
			.datagrams_in = msg->rows[i]->datagrams_in,
			.datagrams_out = msg->rows[i]->datagrams_out,
			.bytes_in = msg->rows[i]->bytes_in,
			.bytes_out = msg->rows[i]->bytes_out,
		};
	if (rows)
		fleet_session_flows(l->session, msg->request_id, rows, n,
				    msg->more || n < msg->n_rows);
	free(rows);
}

static void on_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	struct link *l = arg;
	Portunus__V1__ClientMessage *msg = NULL;

	if (!l->session)
		return;
	if (proto_text_valid(&portunus__v1__client_message__descriptor, data, len))
		msg = portunus__v1__client_message__unpack(NULL, len, data);
	if (!msg) {
		grpc_call_finish(call, GRPC_INVALID_ARGUMENT, "malformed message");
		return;
	}
	if (!l->welcomed)
		greet(l, msg->payload_case == PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_HELLO
				 ? msg->hello
				 : NULL);
	else if (msg->payload_case == PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_HELLO)
		log_event(LOG_WARN, "control.late_hello",
			  LOGF_STR("client", fleet_session_client(l->session)->name));
	/* The greeting may have ended the session. */
	if (l->session && msg->payload_case == PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_RULE_STATUS)
		take_status(l, msg->rule_status);
	if (l->session && msg->payload_case == PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_STATS_REPORT)
		take_report(l, msg->stats_report);
	if (l->session && msg->payload_case == PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_FLOW_LIST)
		take_flows(l, msg->flow_list);
	if (l->session && msg->payload_case == PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_CREDENTIAL_ACK)
		fleet_session_credential(l->session, msg->credential_ack->serial,
					 msg->credential_ack->error);
	portunus__v1__client_message__free_unpacked(msg, NULL);
}

static void on_peer_done(struct grpc_call *call, void *arg)
{
	grpc_call_finish(call, GRPC_OK, "");
}

static void on_drained(struct grpc_call *call, void *arg)
{
	struct link *l = arg;

	if (l->session)
		fleet_session_writable(l->session);
}

static void on_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct link *l = arg;

	if (l->session)
		fleet_session_end(l->session);
	event_free(l->hello_timer);
	free(l);
}

static const struct grpc_call_ops channel_ops = {
	.message = on_message,
	.peer_done = on_peer_done,
	.drained = on_drained,
	.closed = on_closed,
};

static void hello_late(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;

	grpc_call_finish(l->call, GRPC_DEADLINE_EXCEEDED, "no Hello");
}

/* Refuses a stream, trailers only, and counts why. */
static void refuse(struct sessions *s, struct grpc_call *call, enum auth_failure why,
		   const char *text, const char *peer)
{
	uint64_t left_out;

	s->config.auth_failures[why]++;
	if (log_budget_take(&s->strangers, clock_mono_ns(), &left_out))
		log_event(LOG_WARN, "control.auth_failed", LOGF_STR("reason", text),
			  LOGF_STR("remote_addr", peer), LOGF_UINT("left_out", left_out));
	grpc_call_finish(call, why == AUTH_INTERNAL ? GRPC_INTERNAL : GRPC_UNAUTHENTICATED, text);
}

/* The client that a token belongs to, or NULL and the call has been refused. */
static struct fleet_client *authenticate(struct sessions *s, struct grpc_call *call,
					 const char *authorization, const char *peer)
{
	char hash[SECRET_HASH_SIZE];
	struct fleet_client *c;
	const char *token;

	if (!authorization || !*authorization) {
		refuse(s, call, AUTH_MISSING_TOKEN, "missing_token", peer);
		return NULL;
	}
	token = authorization + strlen("Bearer ");
	/* RFC 9110, 11.1: the scheme's case does not matter. */
	if (strncasecmp(authorization, "Bearer ", strlen("Bearer ")) || !*token ||
	    strlen(token) > TOKEN_MAX) {
		refuse(s, call, AUTH_MALFORMED_TOKEN, "malformed_token", peer);
		return NULL;
	}
	secret_hash(token, hash);
	c = fleet_client_by_token(s->config.fleet, hash);
	if (!c || c->revoked_ms) {
		refuse(s, call, c ? AUTH_TOKEN_REVOKED : AUTH_TOKEN_NOT_FOUND,
		       c ? "token_revoked" : "token_not_found", peer);
		return NULL;
	}
	rotation_token_shown(s->config.fleet, c, hash);
	return c;
}

static void open_channel(struct sessions *s, struct grpc_call *call, const char *authorization)
{
	const struct timeval wait = {.tv_sec = HELLO_SECS};
	char peer[ADDR_TEXT_MAX];
	struct fleet_client *c;
	struct link *l;

	addr_text(grpc_conn_peer(grpc_call_conn(call)), peer, sizeof(peer));
	c = authenticate(s, call, authorization, peer);
	if (!c)
		return;
	if (fleet_session_admit(c, peer)) {
		grpc_call_finish(call, GRPC_UNAVAILABLE, "superseded");
		return;
	}
	grpc_conn_known(grpc_call_conn(call));
	l = calloc(1, sizeof(*l));
	if (l) {
		l->all = s;
		l->call = call;
		l->hello_timer = evtimer_new(s->config.base, hello_late, l);
	}
	if (!l || !l->hello_timer || event_add(l->hello_timer, &wait))
		goto no_memory;
	l->session = fleet_session_begin(s->config.fleet, c, &link_ops, l, peer);
	if (!l->session)
		goto no_memory;
	grpc_call_accept(call, &channel_ops, l);
	return;
no_memory:
	if (l && l->hello_timer)
		event_free(l->hello_timer);
	free(l);
	refuse(s, call, AUTH_INTERNAL, "token_verify_error", peer);
}

void sessions_call(struct grpc_server *server, struct grpc_call *call, const char *path,
		   const char *authorization, void *arg)
{
	struct sessions *s = arg;

	if (!strcmp(path, PATH_CHANNEL))
		open_channel(s, call, authorization);
	else if (!strcmp(path, PATH_ENROLL))
		session_enroll(call, s->enroll);
}
