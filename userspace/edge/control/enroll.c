// SPDX-License-Identifier: MIT
/* Becoming a server's edge: redeeming a one-time code, and finding the bundle that came of it. */
#include "edge/control/enroll.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tls/enroll_uri.h"
#include "lib/grpc/grpc.h"
#include "lib/base/atomic_file.h"
#include "lib/base/hex.h"
#include "lib/wire/portunus.pb-c.h"
#include "lib/wire/text.h"
#include "lib/rule/rule.h"

#define METHOD	      "/portunus.v1.ClientEnrollment/Enroll"
#define TIMEOUT_SECS  30
#define CLIENT_ID_MAX 64

/* One redemption under way. */
struct redemption {
	struct event_base *base;
	struct grpc_conn *conn;
	struct bundle *out;
	bool answered;
	int err;
	char *why;
};

static void fail(struct redemption *r, int err, const char *why)
{
	r->err = err;
	snprintf(r->why, ENROLL_ERROR_SIZE, "%s", why);
}

/* ---- the answer ---- */

static const char *copy_text(char *to, const char *from, const char *missing)
{
	if (missing && !*from)
		return missing;
	if (strlen(from) >= BUNDLE_TEXT_MAX)
		return "the server's answer has a text longer than 256 characters";
	strcpy(to, from);
	return NULL;
}

/* Returns NULL or what is wrong with it. */
static const char *take_bundle(const Portunus__V1__CredentialBundle *m, struct bundle *out)
{
	char host[ENROLL_HOST_MAX];
	const char *wrong;
	uint16_t port;

	memset(out, 0, sizeof(*out));
	if (m->version != BUNDLE_VERSION)
		return "the server's bundle has a version that this client does not know";
	if ((wrong = copy_text(out->client_name, m->client_name, "the bundle has no name")) ||
	    (wrong = copy_text(out->client_id, m->client_id, NULL)) ||
	    (wrong = copy_text(out->token, m->token, "the bundle has no token")) ||
	    (wrong = copy_text(out->server_endpoint, m->server_endpoint,
			       "the bundle does not say where the server is")))
		return wrong;
	if (rule_check_client(out->client_name))
		return "the bundle's client name is not one";
	if (strlen(out->client_id) > CLIENT_ID_MAX)
		return "the bundle's client id is not one";
	if (endpoint_split(m->server_endpoint, strlen(m->server_endpoint), host, &port))
		return "the bundle's server_endpoint is no host:port";
	if (hex_read_whole(m->server_cert_sha256, out->pin, sizeof(out->pin)))
		return "the bundle's server_cert_sha256 is no fingerprint of 64 hex digits";
	return NULL;
}

static void on_message(struct grpc_call *call, const uint8_t *data, size_t len, void *arg)
{
	Portunus__V1__CredentialBundle *m = NULL;
	struct redemption *r = arg;
	const char *wrong = "the server's answer is not a bundle";

	if (proto_text_valid(&portunus__v1__credential_bundle__descriptor, data, len))
		m = portunus__v1__credential_bundle__unpack(NULL, len, data);
	if (m)
		wrong = take_bundle(m, r->out);
	if (wrong)
		fail(r, -EBADMSG, wrong);
	r->answered = true;
	if (m)
		portunus__v1__credential_bundle__free_unpacked(m, NULL);
}

static const char *explain(const char *text)
{
	static const struct {
		const char *code, *words;
	} known[] = {
		{"enrollment_invalid",
		 "enrollment_invalid: the server does not know this code; make a new one with "
		 "`portunus-server enroll-client`"},
		{"enrollment_expired",
		 "enrollment_expired: the code is too old; make a new one with `portunus-server "
		 "enroll-client`"},
		{"enrollment_used",
		 "enrollment_used: the code was redeemed before; make a new one with "
		 "`portunus-server enroll-client`"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(text, known[i].code))
			return known[i].words;
	return text;
}

static void on_closed(struct grpc_call *call, int status, const char *text, void *arg)
{
	struct redemption *r = arg;

	/* The connection's end may say more. */
	if (status == GRPC_UNAVAILABLE && !r->answered && r->conn) {
		fail(r, -ECONNRESET, *text ? text : "the server is not available");
		grpc_conn_close(r->conn);
		return;
	}
	if (status != GRPC_OK)
		fail(r, -EACCES, *text ? explain(text) : "the server refused without saying why");
	else if (!r->answered)
		fail(r, -EBADMSG, "the server answered nothing");
	event_base_loopbreak(r->base);
}

static void on_down(struct grpc_conn *conn, int err, const char *why, void *arg)
{
	struct redemption *r = arg;

	r->conn = NULL;
	if (!r->answered && (err || !r->err))
		fail(r, err ? err : -ECONNRESET, why);
	event_base_loopbreak(r->base);
}

/* ---- the question ---- */

static const struct grpc_call_ops call_ops = {.message = on_message, .closed = on_closed};
static const struct grpc_conn_ops conn_ops = {.down = on_down};

static int ask(struct redemption *r, const struct enroll_uri *uri)
{
	struct grpc_client_conf conf = {.host = uri->host, .port = uri->port, .pin = uri->pin};
	Portunus__V1__EnrollClientRequest m = PORTUNUS__V1__ENROLL_CLIENT_REQUEST__INIT;
	uint8_t packed[ENROLL_CODE_MAX + 16];
	struct grpc_call *call;
	int err;

	m.code = (char *)uri->code;
	if (portunus__v1__enroll_client_request__get_packed_size(&m) > sizeof(packed))
		return -EMSGSIZE;
	r->conn = grpc_client_connect(r->base, &conf, &conn_ops, r);
	call = r->conn ? grpc_call_open(r->conn, METHOD, NULL, &call_ops, r) : NULL;
	if (!call)
		return -errno;
	err = grpc_call_send(call, packed, portunus__v1__enroll_client_request__pack(&m, packed));
	grpc_call_done(call);
	return err;
}

int enroll_redeem(const struct enroll_uri *uri, struct bundle *out, char why[ENROLL_ERROR_SIZE])
{
	static const struct timeval timeout = {.tv_sec = TIMEOUT_SECS};
	struct redemption r = {.out = out, .why = why};
	int err;

	/* Until somebody says otherwise. */
	fail(&r, 0, "the server did not answer within 30 s");
	r.base = event_base_new();
	err = r.base ? ask(&r, uri) : -ENOMEM;
	if (err) {
		fail(&r, err, strerror(-err));
	} else {
		event_base_loopexit(r.base, &timeout);
		event_base_dispatch(r.base);
		if (!r.answered && !r.err)
			r.err = -ETIMEDOUT;
	}
	if (r.conn)
		grpc_conn_free(r.conn);
	if (r.base)
		event_base_free(r.base);
	return r.err;
}

/* ---- files ---- */

static struct bundle_env environment(const char *option)
{
	return (struct bundle_env){
		.option = option,
		.bundle = getenv("PORTUNUS_CLIENT_BUNDLE"),
		.xdg = getenv("XDG_CONFIG_HOME"),
		.home = getenv("HOME"),
	};
}

/* A refusal says it itself. */
static void say_what_to_do(int err, const struct enroll_uri *uri)
{
	if (err == -EKEYREJECTED)
		fprintf(stderr,
			"hint: another server answers there, or its certificate was replaced: make "
			"a new code on the right one with `portunus-server enroll-client`\n");
	else if (err != -EACCES)
		fprintf(stderr,
			"hint: portunus-server has to run and to be reachable from here as %s, TCP "
			"port %u; if it is elsewhere, start it with --advertised-endpoint HOST:PORT "
			"and make a new code\n",
			uri->host, uri->port);
}

static int redeem_text(const char *text, const char *path, struct bundle *out)
{
	char why[ENROLL_ERROR_SIZE];
	struct enroll_uri uri;
	const char *wrong = enroll_uri_parse(text, &uri);
	int err;

	if (wrong) {
		fprintf(stderr,
			"error: enrolment URI: %s; give all that `portunus-server enroll-client` "
			"printed, in quotes\n",
			wrong);
		return -EINVAL;
	}
	/* The code is good once: what it buys needs a place. */
	err = file_check_place(path);
	if (err) {
		fprintf(stderr, "error: %s: %s; the code was not used, so try again with --out\n",
			path, strerror(-err));
		return err;
	}
	err = enroll_redeem(&uri, out, why);
	if (err) {
		fprintf(stderr, "error: enroll with %s port %u: %s\n", uri.host, uri.port, why);
		say_what_to_do(err, &uri);
		return err;
	}
	err = bundle_write(path, out);
	/* The code is spent: what it bought must not be lost with it. */
	if (err)
		fprintf(stderr,
			"error: %s: %s; the code is used up, so enroll again with a new one and "
			"--out\n",
			path, strerror(-err));
	return err;
}

static void say_not_found(const struct bundle_paths *paths)
{
	fprintf(stderr, "error: no credential bundle; looked for\n");
	for (int i = 0; i < paths->n; i++)
		fprintf(stderr, "  %s\n", paths->path[i]);
	fprintf(stderr,
		"make one with `portunus-client enroll URI`, or serve a file with --rules\n");
}

int enroll_find_bundle(const char *option, struct bundle *out, char path[4096])
{
	struct bundle_env env = environment(option);
	const char *uri = getenv("PORTUNUS_ENROLL_URI");
	struct bundle_paths *paths = calloc(1, sizeof(*paths));
	char why[BUNDLE_ERROR_SIZE];
	int found, err;

	if (!paths)
		return -ENOMEM;
	found = bundle_find(&env, paths);
	if (found >= 0)
		snprintf(path, 4096, "%s", paths->path[found]);
	err = found < 0 ? -ENOENT : bundle_read(path, out, why);
	if (err == -ENOENT && uri && *uri) {
		bundle_target(&env, path);
		err = redeem_text(uri, path, out);
	} else if (found < 0) {
		say_not_found(paths);
	} else if (err == -ENOENT) {
		fprintf(stderr, "error: %s; make it with `portunus-client enroll URI --out %s`\n",
			why, path);
	} else if (err) {
		fprintf(stderr, "error: %s\n", why);
	}
	free(paths);
	return err;
}

/* ---- the verb ---- */

int enroll_with(const char *uri, const char *out)
{
	struct bundle_env env = environment(out);
	struct bundle bundle;
	char path[4096];

	signal(SIGPIPE, SIG_IGN);
	bundle_target(&env, path);
	if (redeem_text(uri, path, &bundle))
		return 1;
	printf("%s\n", path);
	fprintf(stderr,
		"note: next: `portunus-client --bundle %s` serves the server's rules; an edge that "
		"runs with this bundle takes it up by itself\n",
		path);
	return 0;
}
