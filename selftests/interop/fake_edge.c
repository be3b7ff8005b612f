// SPDX-License-Identifier: MIT
/*
 * An edge that forwards nothing: it enrols, holds a control stream, and does what it is told, so that
 * tests of the server can be every kind of edge. Events are JSON lines on stdout; commands are lines
 * on stdin:
 *   ack active | ack fail REASON | ack anonymous REASON | ack none    how pushes are answered
 *   status REQUEST_ID RULE_ID active|REASON                           an answer now
 *   stats RULE_ID IN OUT FAILOVERS FAILED_MASK TARGETS                the figures of a rule
 *   report                                                            sends them
 *   stalls N                                                          of workers
 *   epoch N | answers on|off                                          of stats requests
 * usage: fake_edge enroll URI
 *        fake_edge run ENDPOINT PIN TOKEN [VERSION [CAPABILITY…]]
 * VERSION "-": a Hello without one; "none": no Hello at all.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "lib/rule/proto.h"
#include "lib/tls/enroll_uri.h"
#include "lib/grpc/grpc.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/wire/portunus.pb-c.h"

#define RULES_MAX 64

typedef Portunus__V1__ServerMessage server_message;

struct figures {
	uint64_t rule_id, bytes_in, bytes_out, failovers;
	unsigned failed_mask, targets;
};

struct edge {
	struct event_base *base;
	struct grpc_conn *conn;
	struct grpc_call *call;
	char code[ENROLL_CODE_MAX], authorization[300], line[4096];
	size_t line_len;
	const char *version, **capabilities;
	size_t n_capabilities;
	char ack[32], reason[128];
	bool answers;
	uint64_t epoch, stalls;
	struct figures rules[RULES_MAX];
	size_t n_rules;
};

static void say(json_t *event)
{
	json_dumpf(event, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(event);
}

static void send_message(struct edge *e, const Portunus__V1__ClientMessage *msg)
{
	size_t len = portunus__v1__client_message__get_packed_size(msg);
	uint8_t *buf = malloc(len + 1);

	portunus__v1__client_message__pack(msg, buf);
	grpc_call_send(e->call, buf, len);
	free(buf);
}

static void send_hello(struct edge *e)
{
	Portunus__V1__ClientMessage msg = PORTUNUS__V1__CLIENT_MESSAGE__INIT;
	Portunus__V1__Hello hello = PORTUNUS__V1__HELLO__INIT;
	Portunus__V1__Protocol protocols[] = {PORTUNUS__V1__PROTOCOL__TCP};

	hello.protocol_version = "1.0.0";
	hello.client_version = strcmp(e->version, "-") ? (char *)e->version : "";
	hello.n_supported_protocols = 1;
	hello.supported_protocols = protocols;
	hello.n_capabilities = e->n_capabilities;
	hello.capabilities = (char **)e->capabilities;
	msg.payload_case = PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_HELLO;
	msg.hello = &hello;
	send_message(e, &msg);
}

static void send_status(struct edge *e, const char *request_id, uint64_t rule_id,
			const char *reason)
{
	Portunus__V1__ClientMessage msg = PORTUNUS__V1__CLIENT_MESSAGE__INIT;
	Portunus__V1__RuleStatus status = PORTUNUS__V1__RULE_STATUS__INIT;

	status.request_id = (char *)request_id;
	status.rule_id = rule_id;
	status.outcome = reason ? PORTUNUS__V1__ACTIVATION_OUTCOME__FAILED
				: PORTUNUS__V1__ACTIVATION_OUTCOME__ACTIVATED;
	status.reason = (char *)(reason ? reason : "");
	msg.payload_case = PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_RULE_STATUS;
	msg.rule_status = &status;
	send_message(e, &msg);
}

static void send_report(struct edge *e, uint64_t request_id)
{
	Portunus__V1__ClientMessage msg = PORTUNUS__V1__CLIENT_MESSAGE__INIT;
	Portunus__V1__StatsReport report = PORTUNUS__V1__STATS_REPORT__INIT;
	Portunus__V1__RuleStats rules[RULES_MAX], *list[RULES_MAX];
	Portunus__V1__PerTargetStats targets[RULES_MAX][8], *rows[RULES_MAX][8];
	Portunus__V1__KernelStats kernel = PORTUNUS__V1__KERNEL_STATS__INIT;

	kernel.basis = PORTUNUS__V1__ACCOUNTING_MODE__ACCOUNTING_MODE_BPF;
	kernel.srtt_us = 250;
	for (size_t i = 0; i < e->n_rules; i++) {
		const struct figures *f = &e->rules[i];

		portunus__v1__rule_stats__init(&rules[i]);
		list[i] = &rules[i];
		rules[i].rule_id = f->rule_id;
		rules[i].bytes_in = f->bytes_in;
		rules[i].bytes_out = f->bytes_out;
		rules[i].active_connections = 1;
		rules[i].target_failovers_total = f->failovers;
		rules[i].kernel = e->n_capabilities ? &kernel : NULL;
		rules[i].n_per_target = f->targets;
		rules[i].per_target = rows[i];
		for (unsigned t = 0; t < f->targets; t++) {
			portunus__v1__per_target_stats__init(&targets[i][t]);
			rows[i][t] = &targets[i][t];
			targets[i][t].index = t;
			targets[i][t].host = "x";
			targets[i][t].health = f->failed_mask >> t & 1;
			targets[i][t].consecutive_failures = 3 * (f->failed_mask >> t & 1);
			targets[i][t].bytes_in = t ? 0 : f->bytes_in;
			targets[i][t].last_success_at_unix_ms = 1778236931000;
		}
	}
	report.n_stats = e->n_rules;
	report.stats = list;
	report.request_id = request_id;
	report.counter_epoch = e->epoch;
	report.worker_stalls = e->stalls;
	if (e->n_capabilities)
		report.accounting = PORTUNUS__V1__ACCOUNTING_MODE__ACCOUNTING_MODE_BPF;
	msg.payload_case = PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_STATS_REPORT;
	msg.stats_report = &report;
	send_message(e, &msg);
}

static void answer_push(struct edge *e, const char *request_id, uint64_t rule_id)
{
	if (!strcmp(e->ack, "active"))
		send_status(e, request_id, rule_id, NULL);
	else if (!strcmp(e->ack, "fail"))
		send_status(e, request_id, rule_id, e->reason);
	else if (!strcmp(e->ack, "anonymous"))
		send_status(e, "", rule_id, e->reason);
}

static json_t *targets_of(const Portunus__V1__Rule *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_targets; i++)
		json_array_append_new(list, json_pack("{s:s,s:i,s:i}", "host", r->targets[i]->host,
						      "port", r->targets[i]->port, "priority",
						      r->targets[i]->priority));
	return list;
}

/* NULL in JSON: there is no envelope. */
static json_t *caps_of(const Portunus__V1__RateLimit *m)
{
	struct rate_limit limit;
	struct rule_error err;

	if (!m)
		return json_null();
	return rate_limit_from_proto(m, &limit, &err) ? json_string(err.code)
						      : rate_limit_to_json(&limit);
}

static void on_owner_caps(const Portunus__V1__OwnerRateLimitUpdate *u)
{
	say(json_pack("{s:s,s:s,s:s,s:s,s:i,s:o}", "event", "owner_caps", "owner", u->owner_id,
		      "client_name", u->client_name, "client_id", u->client_id, "action",
		      (int)u->action, "rate_limit", caps_of(u->rate_limit)));
}

static void on_update(struct edge *e, const Portunus__V1__RuleUpdate *u)
{
	bool push = u->action == PORTUNUS__V1__RULE_ACTION__PUSH;
	const Portunus__V1__Rule *r = u->rule;

	say(json_pack("{s:s,s:s,s:I,s:i,s:s,s:i,s:s,s:i,s:o,s:o,s:I,s:s?,s:b}", "event",
		      push ? "push" : "remove", "request_id", u->request_id, "rule_id",
		      (json_int_t)r->rule_id, "listen_port", r->listen_port, "target_host",
		      r->target_host, "target_port", r->target_port, "owner",
		      r->_owner_id_case ? r->owner_id : "", "interval",
		      r->health_check_interval_secs, "targets", targets_of(r), "rate_limit",
		      caps_of(r->rate_limit), "hedge_delay_ms",
		      r->_hedge_delay_ms_case ? (json_int_t)r->hedge_delay_ms : -1, "sni_pattern",
		      r->_sni_pattern_case ? r->sni_pattern : NULL, "fallback_non_tls",
		      r->fallback_non_tls));
	if (push)
		answer_push(e, u->request_id, r->rule_id);
}

static void on_server_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	server_message *msg = portunus__v1__server_message__unpack(NULL, len, data);
	struct edge *e = arg;
	json_t *list;

	if (!msg)
		return;
	switch (msg->payload_case) {
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_WELCOME:
		list = json_array();
		for (size_t i = 0; i < msg->welcome->n_capabilities; i++)
			json_array_append_new(list, json_string(msg->welcome->capabilities[i]));
		say(json_pack("{s:s,s:s,s:i,s:o}", "event", "welcome", "version",
			      msg->welcome->server_version, "idle",
			      msg->welcome->udp_flow_idle_secs, "capabilities", list));
		break;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_RULE_UPDATE:
		on_update(e, msg->rule_update);
		break;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_OWNER_RATE_LIMIT_UPDATE:
		on_owner_caps(msg->owner_rate_limit_update);
		break;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_STATS_REQUEST:
		say(json_pack("{s:s,s:I}", "event", "stats_request", "id",
			      (json_int_t)msg->stats_request->request_id));
		if (e->answers)
			send_report(e, msg->stats_request->request_id);
		break;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_REPLAY_DONE:
		say(json_pack("{s:s,s:i}", "event", "replay_done", "count",
			      msg->replay_done->count));
		break;
	default:
		say(json_pack("{s:s}", "event", "unknown"));
	}
	portunus__v1__server_message__free_unpacked(msg, NULL);
}

static void on_bundle(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	Portunus__V1__CredentialBundle *b = portunus__v1__credential_bundle__unpack(NULL, len,
										    data);

	if (!b)
		return;
	say(json_pack("{s:s,s:i,s:s,s:s,s:s,s:s,s:s}", "event", "bundle", "version", b->version,
		      "client_name", b->client_name, "client_id", b->client_id, "server_endpoint",
		      b->server_endpoint, "server_cert_sha256", b->server_cert_sha256, "token",
		      b->token));
	portunus__v1__credential_bundle__free_unpacked(b, NULL);
}

static void on_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct edge *e = arg;

	say(json_pack("{s:s,s:i,s:s}", "event", "closed", "status", status, "text", text));
	event_base_loopbreak(e->base);
}

static void on_down(struct grpc_conn *conn, int err, const char *why, void *arg)
{
	struct edge *e = arg;

	say(json_pack("{s:s,s:i,s:s}", "event", "down", "error", err, "why", why));
	e->conn = NULL;
	event_base_loopbreak(e->base);
}

static void command(struct edge *e, char *line)
{
	char word[32] = "", a[128] = "", b[64] = "", c[128] = "";
	struct figures f = {0};

	sscanf(line, "%31s %127s %63s %127[^\n]", word, a, b, c);
	if (!strcmp(word, "ack")) {
		snprintf(e->ack, sizeof(e->ack), "%.31s", a);
		snprintf(e->reason, sizeof(e->reason), "%s", b);
	} else if (!strcmp(word, "status")) {
		send_status(e, strcmp(a, "-") ? a : "", strtoull(b, NULL, 10),
			    strcmp(c, "active") ? c : NULL);
	} else if (!strcmp(word, "stats")) {
		unsigned long long v[4];
		size_t i = 0;

		if (sscanf(line, "%*s %llu %llu %llu %llu %u %u", &v[0], &v[1], &v[2], &v[3],
			   &f.failed_mask, &f.targets) != 6 ||
		    f.targets > 8)
			return;
		f.rule_id = v[0];
		f.bytes_in = v[1];
		f.bytes_out = v[2];
		f.failovers = v[3];
		while (i < e->n_rules && e->rules[i].rule_id != f.rule_id)
			i++;
		if (i < RULES_MAX)
			e->rules[i] = f;
		if (i == e->n_rules && i < RULES_MAX)
			e->n_rules++;
	} else if (!strcmp(word, "report")) {
		send_report(e, 0);
	} else if (!strcmp(word, "stalls")) {
		e->stalls = strtoull(a, NULL, 10);
	} else if (!strcmp(word, "epoch")) {
		e->epoch = strtoull(a, NULL, 10);
	} else if (!strcmp(word, "answers")) {
		e->answers = !strcmp(a, "on");
	}
}

static void on_stdin(evutil_socket_t fd, short what, void *arg)
{
	struct edge *e = arg;
	ssize_t n = read(fd, e->line + e->line_len, sizeof(e->line) - 1 - e->line_len);
	char *end;

	if (n <= 0) {
		event_base_loopbreak(e->base);
		return;
	}
	e->line_len += (size_t)n;
	e->line[e->line_len] = '\0';
	while ((end = strchr(e->line, '\n'))) {
		*end = '\0';
		command(e, e->line);
		e->line_len -= (size_t)(end + 1 - e->line);
		memmove(e->line, end + 1, e->line_len + 1);
	}
}

static const struct grpc_conn_ops conn_ops = {.down = on_down};
static const struct grpc_call_ops channel_ops = {.message = on_server_message, .closed = on_closed};
static const struct grpc_call_ops enroll_ops = {.message = on_bundle, .closed = on_closed};

static int connect_to(struct edge *e, const char *host, uint16_t port, const uint8_t *pin)
{
	e->conn = grpc_client_connect(
		e->base, &(struct grpc_client_conf){.host = host, .port = port, .pin = pin},
		&conn_ops, e);
	return e->conn ? 0 : -errno;
}

static int run_enroll(struct edge *e, const char *text)
{
	Portunus__V1__EnrollClientRequest req = PORTUNUS__V1__ENROLL_CLIENT_REQUEST__INIT;
	struct enroll_uri uri;
	uint8_t buf[512];
	size_t len;

	if (enroll_uri_parse(text, &uri) || connect_to(e, uri.host, uri.port, uri.pin))
		return 1;
	e->call = grpc_call_open(e->conn, "/portunus.v1.ClientEnrollment/Enroll", NULL, &enroll_ops,
				 e);
	req.code = uri.code;
	len = portunus__v1__enroll_client_request__pack(&req, buf);
	grpc_call_send(e->call, buf, len);
	grpc_call_done(e->call);
	event_base_dispatch(e->base);
	return 0;
}

static int run_channel(struct edge *e, int argc, char **argv)
{
	char host[ENROLL_HOST_MAX];
	uint8_t pin[32];
	uint16_t port;
	struct event *in = event_new(e->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_stdin, e);

	if (endpoint_split(argv[2], strlen(argv[2]), host, &port) ||
	    hex_read(argv[3], pin, sizeof(pin)) || connect_to(e, host, port, pin))
		return 1;
	snprintf(e->authorization, sizeof(e->authorization), "%s%s",
		 strchr(argv[4], ' ') || !*argv[4] ? "" : "Bearer ", argv[4]);
	e->version = argc > 5 ? argv[5] : "0.7.0";
	e->capabilities = (const char **)argv + 6;
	e->n_capabilities = argc > 6 ? (size_t)argc - 6 : 0;
	e->call = grpc_call_open(e->conn, "/portunus.v1.Control/Channel",
				 *argv[4] ? e->authorization : NULL, &channel_ops, e);
	if (strcmp(e->version, "none"))
		send_hello(e);
	event_add(in, NULL);
	event_base_dispatch(e->base);
	event_free(in);
	return 0;
}

int main(int argc, char **argv)
{
	struct edge e = {.ack = "active", .answers = true, .epoch = 1};
	int rc = 2;

	log_init("fake_edge", "error");
	e.base = event_base_new();
	if (argc == 3 && !strcmp(argv[1], "enroll"))
		rc = run_enroll(&e, argv[2]);
	else if (argc >= 5 && !strcmp(argv[1], "run"))
		rc = run_channel(&e, argc, argv);
	else
		fprintf(stderr,
			"usage: fake_edge enroll URI | run ENDPOINT PIN TOKEN [VERSION [CAPABILITY…]]\n");
	if (e.conn)
		grpc_conn_free(e.conn);
	event_base_loop(e.base, EVLOOP_NONBLOCK); /* what bufferevents put off */
	event_base_free(e.base);
	return rc;
}
