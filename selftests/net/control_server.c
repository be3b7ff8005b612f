// SPDX-License-Identifier: MIT
/*
 * A server of the control channel that does what it is told: commands come in as lines of JSON on
 * stdin, what edges say goes out as lines of JSON on stdout.
 *
 * usage: control_server DIR ADDRESS:PORT
 * DIR gets a certificate, if it has none, and the bundle client.bundle.json. Commands:
 *   {"do":"push","request_id":S,"rule":{…as POST /v1/rules, with id},"sni":S,"udp":true}
 *   {"do":"many","count":N,"rule":{…}}   N rules: id and listen_port count up from the rule's
 *   {"do":"remove","request_id":S,"rule_id":N}    {"do":"replay_done","count":N}
 *   {"do":"stats","request_id":N,"rules":[N…]}    {"do":"noise"}  what edges have to ignore
 *   {"do":"refuse","status":N,"text":S}  from now on calls end so; status 0: they are taken again
 *   {"do":"end","status":N,"text":S}     ends the call    {"do":"welcome","auto":BOOL}
 *   {"do":"quit"}                        ends at once, as a crash would
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/tls/bundle.h"
#include "lib/base/clock.h"
#include "lib/tls/enroll_uri.h"
#include "lib/grpc/grpc.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/wire/portunus.pb-c.h"
#include "lib/rule/rule.h"
#include "lib/rule/proto.h"
#include "lib/tls/tls.h"

#define TOKEN "test-token"
#define CODE  "good-code"

struct program {
	struct event_base *base;
	struct grpc_server *server;
	struct grpc_call *call; /* of the edge that is connected */
	struct evbuffer *in;
	struct bundle bundle;
	int refuse_status;
	char refuse_text[128];
	bool no_welcome;
	/* "many": sent as the stream takes them */
	struct rule *many;
	uint64_t many_left;
};

static void say(json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	printf("%s\n", text);
	fflush(stdout);
	free(text);
	json_decref(o);
}

/* ---- sending ---- */

static int send_message(struct program *p, const Portunus__V1__ServerMessage *m)
{
	size_t len = portunus__v1__server_message__get_packed_size(m);
	uint8_t *data = malloc(len);
	int err = -EPIPE;

	portunus__v1__server_message__pack(m, data);
	if (p->call)
		err = grpc_call_send(p->call, data, len);
	free(data);
	return err;
}

static int send_update(struct program *p, const char *request_id, Portunus__V1__RuleAction action,
		       Portunus__V1__Rule *rule)
{
	Portunus__V1__RuleUpdate u = PORTUNUS__V1__RULE_UPDATE__INIT;
	Portunus__V1__ServerMessage m = PORTUNUS__V1__SERVER_MESSAGE__INIT;

	u.request_id = (char *)request_id;
	u.action = action;
	u.rule = rule;
	m.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_RULE_UPDATE;
	m.rule_update = &u;
	return send_message(p, &m);
}

static const char *text_of(const json_t *o, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : otherwise;
}

static uint64_t number_of(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static struct rule *rule_of(const json_t *o)
{
	struct rule_error err = {0};
	struct rule *r = rule_parse(json_object_get(o, "rule"), &err);

	if (!r)
		say(json_pack("{s:s, s:s, s:s}", "event", "bad_rule", "code", err.code, "message",
			      err.message));
	return r;
}

static void do_push(struct program *p, const json_t *o)
{
	struct rule *r = rule_of(o);
	struct rule_proto proto;

	if (!r)
		return;
	rule_to_proto(r, true, &proto);
	if (json_object_get(o, "sni")) {
		proto.msg._sni_pattern_case = PORTUNUS__V1__RULE___SNI_PATTERN_SNI_PATTERN;
		proto.msg.sni_pattern = (char *)text_of(o, "sni", "");
	}
	if (json_is_true(json_object_get(o, "udp")))
		proto.msg.protocol = PORTUNUS__V1__PROTOCOL__UDP;
	send_update(p, text_of(o, "request_id", ""), PORTUNUS__V1__RULE_ACTION__PUSH, &proto.msg);
	rule_free(r);
}

static void go_on_with_many(struct program *p)
{
	struct rule_proto proto;
	char id[64];

	for (; p->many && p->many_left; p->many_left--) {
		snprintf(id, sizeof(id), "replay-%llu", (unsigned long long)p->many->id);
		rule_to_proto(p->many, true, &proto);
		if (send_update(p, id, PORTUNUS__V1__RULE_ACTION__PUSH, &proto.msg))
			return;
		p->many->id++;
		p->many->listen_port++;
	}
}

static void do_many(struct program *p, const json_t *o)
{
	rule_free(p->many);
	p->many = rule_of(o);
	p->many_left = number_of(o, "count");
	go_on_with_many(p);
}

static void do_remove(struct program *p, const json_t *o)
{
	Portunus__V1__Rule rule = PORTUNUS__V1__RULE__INIT;

	rule.rule_id = number_of(o, "rule_id");
	send_update(p, text_of(o, "request_id", ""), PORTUNUS__V1__RULE_ACTION__REMOVE, &rule);
}

static void do_replay_done(struct program *p, const json_t *o)
{
	Portunus__V1__ReplayDone done = PORTUNUS__V1__REPLAY_DONE__INIT;
	Portunus__V1__ServerMessage m = PORTUNUS__V1__SERVER_MESSAGE__INIT;

	done.count = (uint32_t)number_of(o, "count");
	m.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_REPLAY_DONE;
	m.replay_done = &done;
	send_message(p, &m);
}

static void do_stats(struct program *p, const json_t *o)
{
	const json_t *rules = json_object_get(o, "rules");
	Portunus__V1__StatsRequest request = PORTUNUS__V1__STATS_REQUEST__INIT;
	Portunus__V1__ServerMessage m = PORTUNUS__V1__SERVER_MESSAGE__INIT;
	uint64_t ids[16];
	size_t n = json_array_size(rules) < 16 ? json_array_size(rules) : 16;

	for (size_t i = 0; i < n; i++)
		ids[i] = (uint64_t)json_integer_value(json_array_get(rules, i));
	request.request_id = number_of(o, "request_id");
	request.n_rule_ids = n;
	request.rule_ids = ids;
	m.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_STATS_REQUEST;
	m.stats_request = &request;
	send_message(p, &m);
}

static void send_welcome(struct program *p)
{
	Portunus__V1__Welcome welcome = PORTUNUS__V1__WELCOME__INIT;
	Portunus__V1__ServerMessage m = PORTUNUS__V1__SERVER_MESSAGE__INIT;

	welcome.server_version = "test";
	welcome.server_time_unix_ms = clock_wall_ms();
	m.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_WELCOME;
	m.welcome = &welcome;
	send_message(p, &m);
}

/* A quota, an owner cap, an update without a rule, a member of a later version, no message at all. */
static void do_noise(struct program *p, const json_t *o)
{
	static const uint8_t later[] = {0xda, 0x3f, 0x02, 0x08, 0x01}; /* field 1019 */
	static const uint8_t broken[] = {0x12, 0x7f, 0x01};
	Portunus__V1__TrafficQuotaUpdate quota = PORTUNUS__V1__TRAFFIC_QUOTA_UPDATE__INIT;
	Portunus__V1__OwnerRateLimitUpdate cap = PORTUNUS__V1__OWNER_RATE_LIMIT_UPDATE__INIT;
	Portunus__V1__ServerMessage m = PORTUNUS__V1__SERVER_MESSAGE__INIT;

	quota.request_id = "quota-1";
	m.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_TRAFFIC_QUOTA_UPDATE;
	m.traffic_quota_update = &quota;
	send_message(p, &m);
	m.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_OWNER_RATE_LIMIT_UPDATE;
	m.owner_rate_limit_update = &cap;
	send_message(p, &m);
	send_update(p, "no-rule", PORTUNUS__V1__RULE_ACTION__PUSH, NULL);
	send_welcome(p);
	if (p->call) {
		grpc_call_send(p->call, later, sizeof(later));
		grpc_call_send(p->call, broken, sizeof(broken));
	}
}

static void do_refuse(struct program *p, const json_t *o)
{
	p->refuse_status = (int)number_of(o, "status");
	snprintf(p->refuse_text, sizeof(p->refuse_text), "%s", text_of(o, "text", ""));
}

static void do_end(struct program *p, const json_t *o)
{
	if (p->call)
		grpc_call_finish(p->call, (int)number_of(o, "status"), text_of(o, "text", ""));
}

static void do_welcome(struct program *p, const json_t *o)
{
	p->no_welcome = json_is_false(json_object_get(o, "auto"));
	if (!p->no_welcome)
		send_welcome(p);
}

static void do_quit(struct program *p, const json_t *o)
{
	_exit(0);
}

/* ---- receiving ---- */

static void say_hello(const Portunus__V1__Hello *h)
{
	json_t *words = json_array(), *protocols = json_array();

	for (size_t i = 0; i < h->n_capabilities; i++)
		json_array_append_new(words, json_string(h->capabilities[i]));
	for (size_t i = 0; i < h->n_supported_protocols; i++)
		json_array_append_new(protocols, json_integer(h->supported_protocols[i]));
	say(json_pack("{s:s, s:s, s:o, s:o}", "event", "hello", "version", h->client_version,
		      "capabilities", words, "protocols", protocols));
}

static json_t *row_json(const Portunus__V1__PerTargetStats *t)
{
	return json_pack("{s:i, s:s, s:i, s:i, s:i, s:I, s:I, s:I}", "index", (int)t->index, "host",
			 t->host, "port", (int)t->port, "health", (int)t->health, "failures",
			 (int)t->consecutive_failures, "bytes_in", (json_int_t)t->bytes_in,
			 "bytes_out", (json_int_t)t->bytes_out, "accepted",
			 (json_int_t)t->connections_accepted);
}

static void say_report(const Portunus__V1__StatsReport *r, size_t bytes)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < r->n_stats; i++) {
		const Portunus__V1__RuleStats *s = r->stats[i];
		json_t *rows = json_array();

		for (size_t k = 0; k < s->n_per_target; k++)
			json_array_append_new(rows, row_json(s->per_target[k]));
		json_array_append_new(rules, json_pack("{s:I, s:I, s:I, s:i, s:I, s:o}", "rule_id",
						       (json_int_t)s->rule_id, "bytes_in",
						       (json_int_t)s->bytes_in, "bytes_out",
						       (json_int_t)s->bytes_out, "active",
						       (int)s->active_connections, "failovers",
						       (json_int_t)s->target_failovers_total,
						       "rows", rows));
	}
	say(json_pack("{s:s, s:I, s:b, s:I, s:s, s:i, s:i, s:o}", "event", "report", "request_id",
		      (json_int_t)r->request_id, "more", (int)r->more, "worker_stalls",
		      (json_int_t)r->worker_stalls, "accounting",
		      r->accounting == PORTUNUS__V1__ACCOUNTING_MODE__ACCOUNTING_MODE_BPF ? "bpf"
											  : "user",
		      "bytes", (int)bytes, "count", (int)r->n_stats, "rules", rules));
}

static void on_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	static const char *const outcomes[] = {"unspecified", "activated", "failed", "removed"};
	Portunus__V1__ClientMessage *m = portunus__v1__client_message__unpack(NULL, len, data);
	struct program *p = arg;

	if (!m) {
		say(json_pack("{s:s}", "event", "malformed"));
		return;
	}
	if (m->payload_case == PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_HELLO) {
		say_hello(m->hello);
		if (!p->no_welcome)
			send_welcome(p);
	} else if (m->payload_case == PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_RULE_STATUS) {
		say(json_pack("{s:s, s:s, s:I, s:s, s:s}", "event", "status", "request_id",
			      m->rule_status->request_id, "rule_id",
			      (json_int_t)m->rule_status->rule_id, "outcome",
			      outcomes[m->rule_status->outcome & 3], "reason",
			      m->rule_status->reason));
	} else if (m->payload_case == PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_STATS_REPORT) {
		say_report(m->stats_report, len);
	}
	portunus__v1__client_message__free_unpacked(m, NULL);
}

static void on_peer_done(struct grpc_call *call, void *arg)
{
	grpc_call_finish(call, GRPC_OK, NULL);
}

static void on_drained(struct grpc_call *call, void *arg)
{
	go_on_with_many(arg);
}

static void on_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct program *p = arg;

	if (p->call == call)
		p->call = NULL;
	say(json_pack("{s:s, s:i}", "event", "closed", "status", status));
}

static const struct grpc_call_ops channel_ops = {
	.message = on_message,
	.peer_done = on_peer_done,
	.drained = on_drained,
	.closed = on_closed,
};

/* ---- enrolment ---- */

static void on_enroll(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	Portunus__V1__EnrollClientRequest *q =
		portunus__v1__enroll_client_request__unpack(NULL, len, data);
	Portunus__V1__CredentialBundle b = PORTUNUS__V1__CREDENTIAL_BUNDLE__INIT;
	struct program *p = arg;
	char pin[65];
	uint8_t out[1024];

	if (!q || strcmp(q->code, CODE)) {
		grpc_call_finish(call, GRPC_UNAUTHENTICATED, "enrollment_invalid");
	} else {
		hex_write(p->bundle.pin, sizeof(p->bundle.pin), pin);
		b.version = 1;
		b.client_name = p->bundle.client_name;
		b.client_id = p->bundle.client_id;
		b.server_endpoint = p->bundle.server_endpoint;
		b.server_cert_sha256 = pin;
		b.token = p->bundle.token;
		grpc_call_send(call, out, portunus__v1__credential_bundle__pack(&b, out));
		grpc_call_finish(call, GRPC_OK, NULL);
	}
	if (q)
		portunus__v1__enroll_client_request__free_unpacked(q, NULL);
}

static const struct grpc_call_ops enroll_ops = {.message = on_enroll};

static void on_call(struct grpc_server *server, struct grpc_call *call, const char *path,
		    const char *authorization, void *arg)
{
	struct program *p = arg;

	if (!strcmp(path, "/portunus.v1.ClientEnrollment/Enroll")) {
		grpc_call_accept(call, &enroll_ops, p);
	} else if (p->refuse_status) {
		say(json_pack("{s:s, s:s}", "event", "refused", "text", p->refuse_text));
		grpc_call_finish(call, p->refuse_status, p->refuse_text);
	} else if (!authorization || strcmp(authorization, "Bearer " TOKEN)) {
		grpc_call_finish(call, GRPC_UNAUTHENTICATED, "token_not_found");
	} else {
		p->call = call;
		grpc_call_accept(call, &channel_ops, p);
	}
}

/* ---- commands ---- */

static const struct {
	const char *name;
	void (*run)(struct program *p, const json_t *o);
} commands[] = {
	{"push", do_push},	 {"many", do_many},
	{"remove", do_remove},	 {"replay_done", do_replay_done},
	{"stats", do_stats},	 {"noise", do_noise},
	{"refuse", do_refuse},	 {"end", do_end},
	{"welcome", do_welcome}, {"quit", do_quit},
};

static void command(struct program *p, const char *line)
{
	json_t *o = json_loads(line, 0, NULL);
	const char *name = text_of(o, "do", "");
	size_t i = 0, n = sizeof(commands) / sizeof(commands[0]);

	while (i < n && strcmp(name, commands[i].name))
		i++;
	if (i < n)
		commands[i].run(p, o);
	else
		say(json_pack("{s:s, s:s}", "event", "bad_command", "line", line));
	json_decref(o);
}

static void on_stdin(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	char *line;
	int n = evbuffer_read(p->in, fd, 65536);

	if (n == 0)
		event_base_loopbreak(p->base);
	while ((line = evbuffer_readln(p->in, NULL, EVBUFFER_EOL_LF))) {
		command(p, line);
		free(line);
	}
}

/* Certificate, key and bundle of one server. */
static int set_up(struct program *p, const char *dir, const char *endpoint, SSL_CTX **tls)
{
	const char *const hosts[] = {"localhost"};
	char cert[4096], key[4096], path[4096], why[TLS_ERROR_SIZE];
	int err = 0;

	snprintf(cert, sizeof(cert), "%s/server.crt", dir);
	snprintf(key, sizeof(key), "%s/server.key", dir);
	snprintf(path, sizeof(path), "%s/" BUNDLE_FILE_NAME, dir);
	if (access(cert, R_OK))
		err = tls_cert_generate(cert, key, "localhost", hosts, 1);
	if (!err)
		err = tls_pin_of_file(cert, p->bundle.pin);
	if (!err)
		err = tls_server_ctx(cert, key, TLS_ALPN_H2, tls, why);
	strcpy(p->bundle.client_name, "edge-01");
	strcpy(p->bundle.client_id, "01J9ZK8M3Q6S7T8V9W0X1Y2Z3A");
	strcpy(p->bundle.token, TOKEN);
	snprintf(p->bundle.server_endpoint, sizeof(p->bundle.server_endpoint), "%s", endpoint);
	return err ? err : bundle_write(path, &p->bundle);
}

int main(int argc, char **argv)
{
	struct grpc_server_ops ops = {.call = on_call};
	struct grpc_server_conf conf = {0};
	struct program p = {.in = evbuffer_new(), .base = event_base_new()};
	struct enroll_uri uri = {.code = CODE};
	struct event *in;
	char text[1024];
	int err;

	signal(SIGPIPE, SIG_IGN);
	log_init("control_server", "warn");
	if (argc != 3 || endpoint_split(argv[2], strlen(argv[2]), uri.host, &uri.port))
		return 2;
	err = set_up(&p, argv[1], argv[2], &conf.tls);
	if (!err)
		err = addr_parse_literal(uri.host, uri.port, &conf.listen);
	if (!err)
		err = grpc_server_new(p.base, &conf, &ops, &p, &p.server);
	if (err) {
		fprintf(stderr, "control_server: %s\n", strerror(-err));
		return 1;
	}
	memcpy(uri.pin, p.bundle.pin, sizeof(uri.pin));
	enroll_uri_write(&uri, text, sizeof(text));
	evutil_make_socket_nonblocking(0);
	in = event_new(p.base, 0, EV_READ | EV_PERSIST, on_stdin, &p);
	event_add(in, NULL);
	say(json_pack("{s:s, s:s}", "event", "listening", "uri", text));
	event_base_dispatch(p.base);
	return 0;
}
