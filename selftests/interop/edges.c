// SPDX-License-Identifier: MIT
/*
 * Many edges in one process, forwarding nothing: each holds a control stream, answers pushes and reports
 * figures for the rules it was given, so that tests and measurements can load a server. What they
 * saw is told, as one JSON line on stdout, for each line on stdin; at the end of stdin it ends.
 *
 * usage: edges FILE [KEY=VALUE…]  one edge for each line of FILE, as build/tools/enrol prints them
 * keys:  version (0.7.0), capabilities (comma separated), ack (delay in ms, or never; 0),
 *        report (ms between reports, 0 none; 5000), spread (ms over which they connect; 0),
 *        reconnect (ms until the next attempt, 0 never; 0), flip (1: each report tells of a failover)
 * stdin: status | ack DELAY|never | report MS | flip 0|1
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "lib/base/clock.h"
#include "lib/tls/enroll_uri.h"
#include "lib/grpc/grpc.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/wire/portunus.pb-c.h"

#define CAPABILITIES_MAX 16
#define RULES_A_MESSAGE	 500 /* about 150 KB; a whole report may exceed gRPC's 4 MiB */
#define QUEUE_BYTES	 (16u << 20)
#define LINE_MAX_BYTES	 1024
#define NEVER		 -1

typedef Portunus__V1__ClientMessage client_message;
typedef Portunus__V1__ServerMessage server_message;

/* A rule that an edge was given. */
struct held {
	uint64_t id;
	uint32_t targets;
	uint64_t session; /* in which it was last replayed */
};

struct edge {
	struct fleet *fleet;
	struct grpc_conn *conn;
	struct grpc_call *call; /* NULL: not connected */
	struct event *timer;	/* the next report or, without a connection, the next attempt */
	char host[ENROLL_HOST_MAX], authorization[300];
	uint16_t port;
	uint8_t pin[32];
	struct held *rules;
	size_t n_rules, room;
	uint64_t session, reports;
	bool welcomed;
};

/* What all edges have seen. */
struct tally {
	uint64_t pushes, replayed, repeated, removals, replays_done, asked, reports, acks, ends,
		refused;
	uint64_t first_push_ns, last_push_ns, last_replay_done_ns, last_welcome_ns;
	char last_end[128];
};

struct fleet {
	struct event_base *base;
	struct edge *edges;
	size_t n;
	struct tally seen;
	char *version, *capabilities[CAPABILITIES_MAX];
	size_t n_capabilities;
	long ack_ms, report_ms, spread_ms, reconnect_ms;
	bool flip;
	char line[LINE_MAX_BYTES];
	size_t line_len;
};

/* An answer to a push that waits. */
struct late_ack {
	struct edge *edge;
	struct event *timer;
	uint64_t session, rule_id;
	char request_id[64];
};

static struct timeval ms(long n)
{
	return (struct timeval){.tv_sec = n / 1000, .tv_usec = n % 1000 * 1000};
}

static void *must(void *memory)
{
	if (!memory) {
		fprintf(stderr, "edges: out of memory\n");
		exit(1);
	}
	return memory;
}

static void send_message(struct edge *e, const client_message *msg)
{
	size_t len = portunus__v1__client_message__get_packed_size(msg);
	uint8_t *buf = must(malloc(len + 1));

	portunus__v1__client_message__pack(msg, buf);
	if (grpc_call_send(e->call, buf, len))
		e->fleet->seen.refused++;
	free(buf);
}

static void send_hello(struct edge *e)
{
	client_message msg = PORTUNUS__V1__CLIENT_MESSAGE__INIT;
	Portunus__V1__Hello hello = PORTUNUS__V1__HELLO__INIT;
	Portunus__V1__Protocol protocols[] = {PORTUNUS__V1__PROTOCOL__TCP};

	hello.protocol_version = "1.0.0";
	hello.client_version = e->fleet->version;
	hello.n_supported_protocols = 1;
	hello.supported_protocols = protocols;
	hello.n_capabilities = e->fleet->n_capabilities;
	hello.capabilities = e->fleet->capabilities;
	msg.payload_case = PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_HELLO;
	msg.hello = &hello;
	send_message(e, &msg);
}

static void send_ack(struct edge *e, const char *request_id, uint64_t rule_id)
{
	client_message msg = PORTUNUS__V1__CLIENT_MESSAGE__INIT;
	Portunus__V1__RuleStatus status = PORTUNUS__V1__RULE_STATUS__INIT;

	status.request_id = (char *)request_id;
	status.rule_id = rule_id;
	status.outcome = PORTUNUS__V1__ACTIVATION_OUTCOME__ACTIVATED;
	msg.payload_case = PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_RULE_STATUS;
	msg.rule_status = &status;
	send_message(e, &msg);
	e->fleet->seen.acks++;
}

static void ack_due(evutil_socket_t fd, short what, void *arg)
{
	struct late_ack *a = arg;

	if (a->edge->call && a->edge->session == a->session)
		send_ack(a->edge, a->request_id, a->rule_id);
	event_free(a->timer);
	free(a);
}

static void answer_push(struct edge *e, const char *request_id, uint64_t rule_id)
{
	const struct timeval wait = ms(e->fleet->ack_ms);
	struct late_ack *a;

	if (e->fleet->ack_ms == 0)
		send_ack(e, request_id, rule_id);
	if (e->fleet->ack_ms <= 0)
		return;
	a = must(calloc(1, sizeof(*a)));
	a->edge = e;
	a->session = e->session;
	a->rule_id = rule_id;
	snprintf(a->request_id, sizeof(a->request_id), "%s", request_id);
	a->timer = must(evtimer_new(e->fleet->base, ack_due, a));
	event_add(a->timer, &wait);
}

/* ---- reports ---- */

/* Room for the messages of one part of a report. */
struct part {
	Portunus__V1__RuleStats rules[RULES_A_MESSAGE], *list[RULES_A_MESSAGE];
	Portunus__V1__PerTargetStats targets[RULES_A_MESSAGE][8], *rows[RULES_A_MESSAGE][8];
};

/* Figures that differ in every report, as those of rules that carry traffic do. */
static void fill_rule(struct part *p, size_t i, const struct held *h, uint64_t round, bool flip)
{
	Portunus__V1__RuleStats *r = &p->rules[i];

	portunus__v1__rule_stats__init(r);
	p->list[i] = r;
	r->rule_id = h->id;
	r->bytes_in = round * 1000 + h->id;
	r->bytes_out = round * 5000 + h->id;
	r->active_connections = 3;
	r->n_per_target = h->targets > 1 ? h->targets : 0;
	r->per_target = p->rows[i];
	r->target_failovers_total = flip ? round : 0;
	for (uint32_t t = 0; t < r->n_per_target; t++) {
		Portunus__V1__PerTargetStats *s = &p->targets[i][t];

		portunus__v1__per_target_stats__init(s);
		p->rows[i][t] = s;
		s->index = t;
		s->host = "192.0.2.1";
		s->port = 443;
		s->priority = t;
		s->health = flip && t == 0 ? round & 1 : 0;
		s->last_success_at_unix_ms = clock_wall_ms();
		s->bytes_in = t ? 0 : r->bytes_in;
		s->bytes_out = t ? 0 : r->bytes_out;
		s->connections_accepted = t ? 0 : round;
	}
}

static void send_report(struct edge *e, uint64_t request_id)
{
	struct part *p = must(malloc(sizeof(*p)));
	uint64_t round = ++e->reports;

	for (size_t at = 0; at < e->n_rules; at += RULES_A_MESSAGE) {
		size_t n = e->n_rules - at < RULES_A_MESSAGE ? e->n_rules - at : RULES_A_MESSAGE;
		client_message msg = PORTUNUS__V1__CLIENT_MESSAGE__INIT;
		Portunus__V1__StatsReport report = PORTUNUS__V1__STATS_REPORT__INIT;

		for (size_t i = 0; i < n; i++)
			fill_rule(p, i, &e->rules[at + i], round, e->fleet->flip);
		report.sent_at_unix_ms = clock_wall_ms();
		report.n_stats = n;
		report.stats = p->list;
		if (e->fleet->n_capabilities) {
			report.request_id = request_id;
			report.counter_epoch = 1;
			report.more = at + n < e->n_rules;
		}
		msg.payload_case = PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_STATS_REPORT;
		msg.stats_report = &report;
		send_message(e, &msg);
	}
	e->fleet->seen.reports++;
	free(p);
}

/* ---- what the server says ---- */

static struct held *find_rule(struct edge *e, uint64_t id)
{
	for (size_t i = e->n_rules; i-- > 0;)
		if (e->rules[i].id == id)
			return &e->rules[i];
	return NULL;
}

static struct held *add_rule(struct edge *e, uint64_t id)
{
	if (e->n_rules == e->room) {
		e->room = e->room ? e->room * 2 : 16;
		e->rules = must(reallocarray(e->rules, e->room, sizeof(*e->rules)));
	}
	e->rules[e->n_rules] = (struct held){.id = id};
	return &e->rules[e->n_rules++];
}

static void on_push(struct edge *e, const Portunus__V1__RuleUpdate *u)
{
	struct held *h = find_rule(e, u->rule->rule_id);
	struct tally *seen = &e->fleet->seen;

	if (!h)
		h = add_rule(e, u->rule->rule_id);
	h->targets = u->rule->n_targets < 8 ? (uint32_t)u->rule->n_targets : 8;
	seen->pushes++;
	seen->last_push_ns = clock_mono_ns();
	if (!seen->first_push_ns)
		seen->first_push_ns = seen->last_push_ns;
	if (!strncmp(u->request_id, "replay-", 7)) {
		seen->replayed++;
		seen->repeated += h->session == e->session;
		h->session = e->session;
	}
	answer_push(e, u->request_id, u->rule->rule_id);
}

static void on_update(struct edge *e, const Portunus__V1__RuleUpdate *u)
{
	struct held *h;

	if (!u->rule)
		return;
	if (u->action == PORTUNUS__V1__RULE_ACTION__PUSH) {
		on_push(e, u);
		return;
	}
	e->fleet->seen.removals++;
	h = find_rule(e, u->rule->rule_id);
	if (h)
		*h = e->rules[--e->n_rules];
}

static void on_server_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	server_message *msg = portunus__v1__server_message__unpack(NULL, len, data);
	struct edge *e = arg;
	struct tally *seen = &e->fleet->seen;

	if (!msg)
		return;
	switch (msg->payload_case) {
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_WELCOME:
		e->welcomed = true;
		seen->last_welcome_ns = clock_mono_ns();
		break;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_RULE_UPDATE:
		on_update(e, msg->rule_update);
		break;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_STATS_REQUEST:
		seen->asked++;
		send_report(e, msg->stats_request->request_id);
		break;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_REPLAY_DONE:
		seen->replays_done++;
		seen->last_replay_done_ns = clock_mono_ns();
		break;
	default:
		break;
	}
	portunus__v1__server_message__free_unpacked(msg, NULL);
}

/* ---- connections ---- */

static void on_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct edge *e = arg;

	e->call = NULL;
	e->welcomed = false;
	e->fleet->seen.ends++;
	snprintf(e->fleet->seen.last_end, sizeof(e->fleet->seen.last_end), "%d %s", status, text);
	if (e->conn)
		grpc_conn_close(e->conn);
}

static void on_down(struct grpc_conn *conn, int err, const char *why, void *arg)
{
	struct edge *e = arg;
	struct timeval wait = ms(e->fleet->reconnect_ms);

	e->conn = NULL;
	event_del(e->timer);
	if (e->fleet->reconnect_ms)
		event_add(e->timer, &wait);
}

static const struct grpc_conn_ops conn_ops = {.down = on_down};
static const struct grpc_call_ops channel_ops = {.message = on_server_message, .closed = on_closed};

static void connect_edge(struct edge *e)
{
	long period = e->fleet->report_ms;
	struct timeval first = ms(period ? rand() % period : 0);

	e->conn = must(grpc_client_connect(
		e->fleet->base,
		&(struct grpc_client_conf){.host = e->host,
					   .port = e->port,
					   .pin = e->pin,
					   .limits = {.queue_max = QUEUE_BYTES}},
		&conn_ops, e));
	e->call = must(grpc_call_open(e->conn, "/portunus.v1.Control/Channel", e->authorization,
				      &channel_ops, e));
	e->session++;
	send_hello(e);
	if (period)
		event_add(e->timer, &first);
}

static void timer_due(evutil_socket_t fd, short what, void *arg)
{
	struct edge *e = arg;
	struct timeval next = ms(e->fleet->report_ms);

	if (!e->conn) {
		connect_edge(e);
		return;
	}
	if (e->welcomed && e->n_rules)
		send_report(e, 0);
	if (e->fleet->report_ms)
		event_add(e->timer, &next);
}

static void read_bundle(struct fleet *f, char *line)
{
	char endpoint[300], pin[65], token[257];
	struct edge *e;

	if (sscanf(line, "%299s %64s %256s", endpoint, pin, token) != 3) {
		fprintf(stderr, "edges: not a bundle: %s", line);
		exit(2);
	}
	f->edges = must(reallocarray(f->edges, f->n + 1, sizeof(*f->edges)));
	e = &f->edges[f->n++];
	memset(e, 0, sizeof(*e));
	if (endpoint_split(endpoint, strlen(endpoint), e->host, &e->port) ||
	    hex_read(pin, e->pin, sizeof(e->pin)))
		exit(2);
	snprintf(e->authorization, sizeof(e->authorization), "Bearer %s", token);
}

static void start_edges(struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct edge *e = &f->edges[i];
		struct timeval at = ms(f->spread_ms * (long)i / (long)f->n);

		e->fleet = f;
		e->timer = must(evtimer_new(f->base, timer_due, e));
		event_add(e->timer, &at);
	}
}

/* ---- stdin ---- */

static void tell(const struct fleet *f)
{
	const struct tally *t = &f->seen;
	json_int_t connected = 0, rules = 0;
	json_t *o;

	for (size_t i = 0; i < f->n; i++) {
		connected += f->edges[i].welcomed;
		rules += (json_int_t)f->edges[i].n_rules;
	}
	o = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:I,s:I,s:I,s:I}",
		      "edges", (json_int_t)f->n, "connected", connected, "rules", rules, "pushes",
		      t->pushes, "replayed", t->replayed, "repeated", t->repeated, "removals",
		      t->removals, "replays_done", t->replays_done, "asked", t->asked, "reports",
		      t->reports, "acks", t->acks, "refused", t->refused, "ends", t->ends,
		      "last_end", t->last_end, "first_push_ns", t->first_push_ns, "last_push_ns",
		      t->last_push_ns, "last_replay_done_ns", t->last_replay_done_ns,
		      "last_welcome_ns", t->last_welcome_ns);

	json_dumpf(must(o), stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(o);
}

static long delay_of(const char *text)
{
	return !strcmp(text, "never") ? NEVER : strtol(text, NULL, 10);
}

static void command(struct fleet *f, const char *line)
{
	char word[16] = "", value[32] = "";

	sscanf(line, "%15s %31s", word, value);
	if (!strcmp(word, "ack"))
		f->ack_ms = delay_of(value);
	else if (!strcmp(word, "report"))
		f->report_ms = delay_of(value);
	else if (!strcmp(word, "flip"))
		f->flip = delay_of(value);
	tell(f);
}

static void on_stdin(evutil_socket_t fd, short what, void *arg)
{
	struct fleet *f = arg;
	ssize_t n = read(fd, f->line + f->line_len, sizeof(f->line) - 1 - f->line_len);
	char *end;

	if (n <= 0) {
		event_base_loopbreak(f->base);
		return;
	}
	f->line_len += (size_t)n;
	f->line[f->line_len] = '\0';
	while ((end = strchr(f->line, '\n'))) {
		*end = '\0';
		command(f, f->line);
		f->line_len -= (size_t)(end + 1 - f->line);
		memmove(f->line, end + 1, f->line_len + 1);
	}
}

static int set_option(struct fleet *f, char *text)
{
	char *value = strchr(text, '='), *save = NULL;

	if (!value)
		return -1;
	*value++ = '\0';
	if (!strcmp(text, "version")) {
		f->version = value;
	} else if (!strcmp(text, "capabilities")) {
		for (char *w = strtok_r(value, ",", &save);
		     w && f->n_capabilities < CAPABILITIES_MAX; w = strtok_r(NULL, ",", &save))
			f->capabilities[f->n_capabilities++] = w;
	} else if (!strcmp(text, "ack")) {
		f->ack_ms = delay_of(value);
	} else if (!strcmp(text, "report")) {
		f->report_ms = delay_of(value);
	} else if (!strcmp(text, "spread")) {
		f->spread_ms = delay_of(value);
	} else if (!strcmp(text, "flip")) {
		f->flip = delay_of(value);
	} else if (!strcmp(text, "reconnect")) {
		f->reconnect_ms = delay_of(value);
	} else {
		return -1;
	}
	return 0;
}

static int run(struct fleet *f, int argc, char **argv)
{
	struct event *in =
		must(event_new(f->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_stdin, f));
	FILE *file = fopen(argv[1], "r");
	char line[LINE_MAX_BYTES];

	if (!file) {
		perror(argv[1]);
		return 1;
	}
	while (fgets(line, sizeof(line), file))
		read_bundle(f, line);
	fclose(file);
	for (int i = 2; i < argc; i++)
		if (set_option(f, argv[i])) {
			fprintf(stderr, "edges: unknown option %s\n", argv[i]);
			return 2;
		}
	event_add(in, NULL);
	start_edges(f);
	event_base_dispatch(f->base);
	event_free(in);
	for (size_t i = 0; i < f->n; i++) {
		if (f->edges[i].conn)
			grpc_conn_free(f->edges[i].conn);
		event_free(f->edges[i].timer);
		free(f->edges[i].rules);
	}
	free(f->edges);
	return 0;
}

int main(int argc, char **argv)
{
	struct fleet f = {.version = "0.7.0", .report_ms = 5000};
	struct rlimit fds;
	int rc = 2;

	signal(SIGPIPE, SIG_IGN);
	log_init("edges", "error");
	if (!getrlimit(RLIMIT_NOFILE, &fds)) {
		fds.rlim_cur = fds.rlim_max;
		setrlimit(RLIMIT_NOFILE, &fds);
	}
	f.base = must(event_base_new());
	if (argc >= 2)
		rc = run(&f, argc, argv);
	else
		fprintf(stderr, "usage: edges FILE [KEY=VALUE...]\n");
	event_base_free(f.base);
	return rc;
}
