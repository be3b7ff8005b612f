// SPDX-License-Identifier: MIT
/*
 * The operators' HTTP interface over a real connection, with a store in memory and a pretended
 * edge. The first byte of an input says whether the rest is what a client sends or the body of one
 * of the requests below; the second how the edge behaves and how the bytes are cut. Every answer
 * has to be HTTP, its JSON whole, an error in the one envelope; a well-formed request gets one.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "api/api.h"
#include "lib/wire/capability.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "server/access/credentials.h"
#include "server/access/audit.h"
#include "server/access/auth_failure.h"
#include "server/access/certificate.h"
#include "server/fleet/enrolment.h"
#include "server/fleet/fleet.h"
#include "selftests/fuzz/memory_store.h"

#define ANSWER_MAX (256 << 10)
#define TURNS_MAX  40

enum manner { EDGE_ACTIVATES, EDGE_REFUSES, EDGE_SILENT, EDGE_AWAY };

/* What one input meets; the members above the line outlive it. */
struct rig {
	struct event_base *base;
	struct store *store;
	int changes; /* of the store when it was last as seeded */
	char cert[32];
	uint64_t auth_failures[AUTH_FAILURES];
	/* ---- */
	struct fleet *fleet;
	struct access *access;
	struct audit *audit;
	struct enroll *enroll;
	struct api *api;
	union addr at;
	struct session *session;
	enum manner manner;
	bool full; /* the edge's link: takes every other message only */
	unsigned messages;
	char request_id[64];
	uint64_t pushed, serial; /* to be answered */
	int fd;
	size_t len;
	char answer[ANSWER_MAX + 1];
};

/* Only while the process lives: libFuzzer gives no other place to keep it. */
static struct rig rig;

/* ---- the edge ---- */

static int take(struct rig *g)
{
	return g->full && ++g->messages % 2 == 0 ? -EAGAIN : 0;
}

static int edge_push(void *link, const char *request_id, const struct rule *rule)
{
	struct rig *g = link;
	int err = take(g);

	if (!err) {
		snprintf(g->request_id, sizeof(g->request_id), "%s", request_id);
		g->pushed = rule->id;
	}
	return err;
}

static int edge_remove(void *link, const char *request_id, const struct rule *rule)
{
	return take(link);
}

static int edge_stats(void *link, uint64_t serial, bool per_port, const uint64_t *rule_ids,
		      size_t n)
{
	struct rig *g = link;
	int err = take(g);

	if (!err)
		g->serial = serial;
	return err;
}

static int edge_replayed(void *link, uint32_t count)
{
	return take(link);
}

static void edge_close(void *link, const char *reason)
{
	((struct rig *)link)->session = NULL;
}

static const struct fleet_link_ops edge_ops = {
	.push = edge_push,
	.remove = edge_remove,
	.stats_request = edge_stats,
	.replay_done = edge_replayed,
	.close = edge_close,
};

static void edge_report(struct rig *g)
{
	struct rule_figures *r = calloc(1, sizeof(*r) + 2 * sizeof(r->targets[0]));

	r->rule_id = 1;
	r->bytes_in = 5000000000;
	r->n_targets = 2;
	r->targets[0] = (struct target_figures){.failed = true, .consecutive_failures = 3};
	r->targets[1] = (struct target_figures){.index = 1, .has_kernel = true};
	fleet_session_report(g->session, g->serial, 7, (const struct rule_figures *const *)&r, 1);
	free(r);
}

/* Answers what the edge was sent since the last turn. */
static void edge_turn(struct rig *g)
{
	if (g->session && g->full)
		fleet_session_writable(g->session);
	if (g->session && g->pushed && g->manner != EDGE_SILENT)
		fleet_session_status(g->session, g->request_id, g->pushed,
				     g->manner == EDGE_REFUSES ? FLEET_REFUSED : FLEET_ACTIVATED,
				     g->manner == EDGE_REFUSES ? "port_in_use" : NULL);
	if (g->session && g->serial && g->manner != EDGE_SILENT)
		edge_report(g);
	g->pushed = g->serial = 0;
}

static void edge_connect(struct rig *g, bool old)
{
	static const char *const can[] = {CAPABILITY_RULE_UPDATE, CAPABILITY_RULE_OPTIONS,
					  CAPABILITY_STATS_REQUEST, CAPABILITY_REPLAY_DONE};

	g->session = fleet_session_begin(g->fleet, fleet_client(g->fleet, CLIENT), &edge_ops, g,
					 "192.0.2.1:1");
	fleet_session_hello(g->session,
			    old ? &(struct fleet_hello){.client_version = "0.6.0"}
				: &(struct fleet_hello){.client_version = "0.7.0",
							.capabilities = can,
							.n_capabilities = sizeof(can) /
									  sizeof(*can)});
	edge_turn(g);
}

/* ---- the server ---- */

static void server_start(struct rig *g)
{
	reset_store(g->store, &g->changes);
	g->at = (union addr){
		.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	g->fleet = fleet_new(g->base, g->store);
	never(fleet_load(g->fleet));
	g->access = access_new(g->store);
	g->audit = audit_new(g->base, g->store);
	g->enroll = enroll_new(g->store, g->fleet,
			       &(struct enroll_config){.cert_path = g->cert,
						       .audit = g->audit,
						       .grpc.v4 = {.sin_family = AF_INET,
								   .sin_port = htons(7443)}});
	g->api = api_new(&(struct api_config){.base = g->base,
					      .store = g->store,
					      .fleet = g->fleet,
					      .access = g->access,
					      .audit = g->audit,
					      .enroll = g->enroll,
					      .auth_failures = g->auth_failures});
	never(api_listen(g->api, &g->at, &g->at));
}

/* In the order of the program's own end. */
static void server_stop(struct rig *g)
{
	store_settle(g->store);
	fleet_free(g->fleet);
	api_free(g->api);
	enroll_free(g->enroll);
	audit_free(g->audit);
	access_free(g->access);
	event_base_loop(g->base, EVLOOP_NONBLOCK);
}

/* A certificate for the enrolment codes. It stays open only: nothing is left behind by a crash. */
static void make_certificate(struct rig *g)
{
	static const char *const files[] = {"cert.pem", "key.pem", ".portunus-autocert"};
	char dir[] = "/tmp/fuzz-http-XXXXXX", path[3][64], why[512];

	never(!mkdtemp(dir));
	for (int i = 0; i < 3; i++)
		snprintf(path[i], sizeof(path[i]), "%s/%s", dir, files[i]);
	never(certificate_ensure(dir, path[0], path[1], NULL, why, sizeof(why)));
	snprintf(g->cert, sizeof(g->cert), "/proc/self/fd/%d", open(path[0], O_RDONLY | O_CLOEXEC));
	for (int i = 0; i < 3; i++)
		unlink(path[i]);
	never(rmdir(dir));
}

static void set_up(struct rig *g)
{
	log_init("fuzz", "off");
	make_certificate(g);
	g->base = event_base_new();
	g->store = memory_store();
}

/* ---- the client ---- */

/* One turn of everybody. Returns how much of the answer came. */
static size_t turn(struct rig *g, int flags)
{
	ssize_t n;

	event_base_loop(g->base, flags);
	store_settle(g->store);
	edge_turn(g);
	n = recv(g->fd, g->answer + g->len, ANSWER_MAX - g->len, MSG_DONTWAIT);
	if (n <= 0)
		return 0;
	g->len += (size_t)n;
	return (size_t)n;
}

static void settle(struct rig *g)
{
	for (int quiet = 0, all = 0; quiet < 4 && all < TURNS_MAX; all++)
		quiet = turn(g, EVLOOP_NONBLOCK) ? 0 : quiet + 1;
}

/* Sends in pieces of @piece bytes. With @sure there has to be an answer. */
static void exchange(struct rig *g, const char *data, size_t size, size_t piece, bool sure)
{
	const struct linger reset = {.l_onoff = 1};
	const int on = 1;

	g->len = 0;
	g->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	never(g->fd < 0 || connect(g->fd, &g->at.sa, addr_len(&g->at)));
	/* No FIN from here: a port in TIME_WAIT for each input, and soon there are none left. */
	setsockopt(g->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	setsockopt(g->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		if (send(g->fd, data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
			break;
		turn(g, EVLOOP_NONBLOCK);
	}
	settle(g);
	for (int i = 0; sure && !g->len; i++) {
		never(i == TURNS_MAX);
		turn(g, EVLOOP_ONCE);
	}
	close(g->fd);
	event_base_loop(g->base, EVLOOP_NONBLOCK);
	g->answer[g->len] = '\0';
}

/* ---- the answers ---- */

static void check_body(int status, const char *type, const char *body, size_t len)
{
	bool is_json = type && !strncasecmp(type, "application/json", 16);
	json_t *o = is_json ? json_loadb(body, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL)
			    : NULL;
	json_t *e = json_object_get(o, "error");

	never(is_json && !o);
	never(status >= 400 &&
	      (json_object_size(o) != 1 || !json_is_string(json_object_get(e, "code")) ||
	       !json_is_string(json_object_get(e, "message"))));
	json_decref(o);
}

/* The value of a header in the lines between @head and @end, or NULL. */
static const char *header(const char *head, const char *end, const char *name)
{
	size_t n = strlen(name);
	const char *line = head;

	while ((line = strstr(line, "\r\n")) && line < end) {
		line += 2;
		if (!strncasecmp(line, name, n) && line[n] == ':')
			return line + n + 1 + strspn(line + n + 1, " ");
	}
	return NULL;
}

/* Every answer in @text; how many there are. The last may be cut off where the client left. */
static int check_answers(const char *text, size_t len)
{
	const char *p = text, *stop = text + len;
	int n = 0;

	for (; p < stop; n++) {
		const char *end, *length, *type;
		size_t body;
		int status;

		end = strstr(p, "\r\n\r\n");
		if (!end)
			break;
		never(sscanf(p, "HTTP/1.%*1[01] %3d", &status) != 1 || status < 100 ||
		      status > 599);
		length = header(p, end, "Content-Length");
		type = header(p, end, "Content-Type");
		p = end + 4;
		if (!length && status >= 200 && status != 204)
			return n + 1; /* a stream */
		body = length ? strtoul(length, NULL, 10) : 0;
		/* Without its body: an answer to HEAD. */
		if (!body || p == stop || !strncmp(p, "HTTP/", 5))
			continue;
		if (body > (size_t)(stop - p))
			break;
		check_body(status, type, p, body);
		p += body;
	}
	return n;
}

/* ---- the requests ---- */

static const char *const requests[] = {
	NULL, /* the input itself */
	"POST /v1/rules",
	"PUT /v1/rules/1",
	"POST /v1/client-enrollments",
	"POST /v1/auth/token",
	"PATCH /v1/clients/" CLIENT "/name",
	"PUT /v1/clients/" CLIENT,
	"POST /v1/clients/" CLIENT "/enrollment",
	"POST /v1/tokens",
};
#define N_REQUESTS (sizeof(requests) / sizeof(requests[0]))

/* The bytes to send, owned by the caller. */
static char *request_of(const char *line, const uint8_t *body, size_t size, size_t *len)
{
	char *text = malloc(size + 512);
	int n = 0;

	if (line)
		n = snprintf(text, 512,
			     "%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin\r\n"
			     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
			     line, size);
	memcpy(text + n, body, size);
	*len = (size_t)n + size;
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Byte 0: the request. Byte 1: bits 0–1 the edge's manner, 2 full link, 3 old edge, 4–7 the cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *g = &rig;
	const char *line;
	size_t len, piece;
	char *text;
	bool sure;
	int n;

	if (!g->base)
		set_up(g);
	if (size < 2)
		return 0;
	line = requests[data[0] % N_REQUESTS];
	g->manner = data[1] & 3;
	g->full = data[1] & 4;
	g->messages = 0;
	g->pushed = g->serial = 0;
	piece = data[1] >> 4 ? (size_t)(data[1] >> 4) * 37 : size + 512;
	sure = line && g->manner != EDGE_SILENT;
	text = request_of(line, data + 2, size - 2, &len);
	server_start(g);
	if (g->manner != EDGE_AWAY)
		edge_connect(g, data[1] & 8);
	exchange(g, text, len, piece, sure);
	server_stop(g);
	free(text);
	n = check_answers(g->answer, g->len);
	never(sure && n != 1);
	return 0;
}
