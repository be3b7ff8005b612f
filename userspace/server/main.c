// SPDX-License-Identifier: MIT
/* portunus-server: where the store, the fleet, the API, gRPC and the command line are put together. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "api/api.h"
#include "cli/cli.h"
#include "lib/grpc.h"
#include "lib/log.h"
#include "lib/tls.h"
#include "server/access.h"
#include "server/audit.h"
#include "server/auth_failure.h"
#include "server/certificate.h"
#include "server/enroll.h"
#include "server/fleet.h"
#include "server/local_edge.h"
#include "server/session.h"
#include "server/settings.h"
#include "server/store.h"
#include "server/supervisor.h"

/* Everything that a running server, or one call on the store, consists of. In order of making. */
struct server {
	struct settings settings;
	struct store *store;
	struct event_base *base;
	struct fleet *fleet;
	struct access *access;
	struct audit *audit;
	struct enroll *enroll;
	struct ssl_ctx_st *grpc_tls, *http_tls;
	struct sessions *sessions;
	struct grpc_server *grpc;
	bool stopping;
	struct api *api;
	struct event *on_int, *on_term, *on_hup;
	uint64_t auth_failures[AUTH_FAILURES];
	char why[512];
};

/* The store and what works on it without a network: common to `serve` and to the other verbs. */
static int server_open(struct server *s, const char *data_dir)
{
	int err = store_open(data_dir, &s->store, s->why, sizeof(s->why));

	if (err)
		return err;
	err = settings_read(data_dir, &s->settings, s->why, sizeof(s->why));
	if (err)
		return err;
	s->base = event_base_new();
	if (s->base) {
		s->fleet = fleet_new(s->base, s->store);
		s->access = access_new(s->store);
		s->audit = audit_new(s->base, s->store);
	}
	if (!s->base || !s->fleet || !s->access || !s->audit) {
		snprintf(s->why, sizeof(s->why), "cannot read the store, or out of memory: %s",
			 store_message(s->store));
		return -ENOMEM;
	}
	err = fleet_load(s->fleet);
	if (err)
		snprintf(s->why, sizeof(s->why), "cannot read the store: %s", store_advice(err));
	if (!err && s->settings.operator_token)
		err = access_set_legacy(s->access, s->settings.operator_token);
	return err;
}

static void server_close(struct server *s)
{
	struct event *const signals[] = {s->on_int, s->on_term, s->on_hup};

	for (int i = 0; i < 3; i++)
		if (signals[i])
			event_free(signals[i]);
	/* What the operators still wait for is answered by the fleet's end, so that goes first. */
	fleet_free(s->fleet);
	if (s->grpc)
		grpc_server_free(s->grpc);
	sessions_free(s->sessions);
	api_free(s->api);
	enroll_free(s->enroll);
	audit_free(s->audit);
	access_free(s->access);
	SSL_CTX_free(s->grpc_tls);
	SSL_CTX_free(s->http_tls);
	if (s->base)
		event_base_free(s->base);
	store_close(s->store);
	settings_free(&s->settings);
}

static int open_enroll(struct server *s, const char *data_dir, const char *advertised,
		       uint16_t grpc_port)
{
	int err = certificate_ensure(data_dir, s->settings.tls_cert_path, s->settings.tls_key_path,
				     advertised, s->why, sizeof(s->why));

	if (err)
		return err;
	s->enroll = enroll_new(s->store, s->fleet,
			       &(struct enroll_config){.cert_path = s->settings.tls_cert_path,
						       .advertised = advertised,
						       .grpc_port = grpc_port});
	return s->enroll ? 0 : -ENOMEM;
}

static int open_api(struct server *s)
{
	s->api = api_new(&(struct api_config){
		.base = s->base,
		.store = s->store,
		.fleet = s->fleet,
		.access = s->access,
		.audit = s->audit,
		.enroll = s->enroll,
		.public_origin = s->settings.operator_http_public_origin,
		.tls = s->http_tls,
		.auth_failures = s->auth_failures,
	});
	return s->api ? 0 : -ENOMEM;
}

/* ---- serve ---- */

static int cannot_listen(struct server *s, const char *what, const union addr *at, int err)
{
	char text[ADDR_TEXT_MAX];

	snprintf(s->why, sizeof(s->why), "%s: cannot listen on %s: %s%s", what,
		 addr_text(at, text, sizeof(text)), strerror(-err),
		 err == -EADDRINUSE
			 ? "; another program has the port, choose another in server.toml"
			 : "");
	return err;
}

static void on_grpc_call(struct grpc_server *server, struct grpc_call *call, const char *path,
			 const char *authorization, void *arg)
{
	struct server *s = arg;

	sessions_call(server, call, path, authorization, s->sessions);
}

/* The edges have been told; see on_stop(). */
static void on_grpc_stopped(struct grpc_server *server, void *arg)
{
	struct server *s = arg;

	s->grpc = NULL;
	event_base_loopbreak(s->base);
}

static const struct grpc_server_ops grpc_ops = {.call = on_grpc_call, .stopped = on_grpc_stopped};

/* Control listener: certificate, TLS, gRPC. *bound gets its real address. */
static int open_control(struct server *s, const struct cli_serve *what, union addr *bound)
{
	struct grpc_server_conf conf = {.listen = s->settings.control_listen};
	int err = certificate_ensure(what->data_dir, s->settings.tls_cert_path,
				     s->settings.tls_key_path, what->advertised, s->why,
				     sizeof(s->why));

	if (!err)
		err = tls_server_ctx(s->settings.tls_cert_path, s->settings.tls_key_path,
				     TLS_ALPN_H2, &s->grpc_tls, s->why);
	if (err)
		return err;
	s->sessions = sessions_new(&(struct sessions_config){
		.base = s->base,
		.fleet = s->fleet,
		.auth_failures = s->auth_failures,
		.udp_flow_idle_secs = (uint32_t)s->settings.udp_flow_idle_secs,
		.udp_max_flows_per_rule = (uint32_t)s->settings.udp_max_flows_per_rule,
	});
	if (!s->sessions)
		return -ENOMEM;
	conf.tls = s->grpc_tls;
	err = grpc_server_new(s->base, &conf, &grpc_ops, s, &s->grpc);
	if (err)
		return cannot_listen(s, "control_listen", &conf.listen, err);
	*bound = conf.listen;
	if (bound->sa.sa_family == AF_INET)
		bound->v4.sin_port = htons(grpc_server_port(s->grpc));
	else
		bound->v6.sin6_port = htons(grpc_server_port(s->grpc));
	err = open_enroll(s, what->data_dir, what->advertised, addr_port(bound));
	sessions_set_enroll(s->sessions, s->enroll);
	return err;
}

/* Operators' listener and metrics. */
static int open_http(struct server *s, union addr *http, union addr *metrics)
{
	const struct settings *set = &s->settings;
	int err = 0;

	if (set->operator_http_tls_cert_path)
		err = tls_server_ctx(set->operator_http_tls_cert_path,
				     set->operator_http_tls_key_path, NULL, &s->http_tls, s->why);
	if (!err)
		err = open_api(s);
	if (err)
		return err;
	err = api_listen(s->api, &set->operator_http_listen, http);
	if (err)
		return cannot_listen(s, "operator_http_listen", &set->operator_http_listen, err);
	err = api_listen_metrics(s->api, &set->metrics_listen, metrics);
	return err ? cannot_listen(s, "metrics_listen", &set->metrics_listen, err) : 0;
}

static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	struct server *s = arg;

	log_event(LOG_INFO, "server.stopping", LOGF_INT("signal", sig));
	/* The edges hear a GOAWAY and come back soon; that takes 2 s at most. A second signal does
	 * not wait for it. */
	if (s->grpc && !s->stopping)
		grpc_server_shutdown(s->grpc);
	else
		event_base_loopbreak(s->base);
	s->stopping = true;
}

static void on_hup(evutil_socket_t sig, short what, void *arg)
{
	log_event(LOG_INFO, "server.sighup",
		  LOGF_STR("advice", "server.toml is read at the start only"));
}

static int catch_signals(struct server *s)
{
	s->on_int = evsignal_new(s->base, SIGINT, on_stop, s);
	s->on_term = evsignal_new(s->base, SIGTERM, on_stop, s);
	s->on_hup = evsignal_new(s->base, SIGHUP, on_hup, s);
	if (!s->on_int || !s->on_term || !s->on_hup || event_add(s->on_int, NULL) ||
	    event_add(s->on_term, NULL) || event_add(s->on_hup, NULL))
		return -ENOMEM;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* A connection of each edge and operator takes a descriptor: take all there are. */
static void raise_fd_limit(void)
{
	struct rlimit fds;

	if (!getrlimit(RLIMIT_NOFILE, &fds)) {
		fds.rlim_cur = fds.rlim_max;
		setrlimit(RLIMIT_NOFILE, &fds);
	}
}

static void announce(struct server *s, const union addr *grpc, const union addr *http,
		     const union addr *metrics)
{
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX], c[ADDR_TEXT_MAX], holder[ADDR_TEXT_MAX + 16];

	addr_text(grpc, a, sizeof(a));
	addr_text(http, b, sizeof(b));
	addr_text(metrics, c, sizeof(c));
	snprintf(holder, sizeof(holder), "%s%s\n", s->http_tls ? "https://" : "", b);
	store_set_holder(s->store, holder);
	log_event(LOG_INFO, "server.listening", LOGF_STR("grpc", a), LOGF_STR("operator_http", b),
		  LOGF_STR("metrics", c), LOGF_STR("version", PORTUNUS_VERSION));
}

/* What the parent process, which starts the edge of this host, wants to know. */
struct edge_half {
	const char *bundle_path;
	int news_fd;
};

static int enroll_edge(struct server *s, const char *name, const struct edge_half *edge,
		       const union addr *grpc)
{
	enum local_edge_news news;
	char byte;
	int err = local_edge_enroll(&(struct local_edge){.name = name,
							 .bundle_path = edge->bundle_path,
							 .cert_path = s->settings.tls_cert_path,
							 .grpc = *grpc,
							 .audit = s->audit,
							 .enroll = s->enroll,
							 .fleet = s->fleet},
				    &news, s->why, sizeof(s->why));

	byte = (char)news;
	if (!err && write(edge->news_fd, &byte, 1) != 1)
		err = -errno;
	return err;
}

static int start(struct server *s, const struct cli_serve *what, const struct edge_half *edge)
{
	union addr grpc, http, metrics;
	int err = server_open(s, what->data_dir);

	if (!err && what->operator_http_listen)
		err = settings_listen(what->operator_http_listen,
				      &s->settings.operator_http_listen);
	if (!err)
		err = open_control(s, what, &grpc);
	if (!err)
		err = open_http(s, &http, &metrics);
	if (!err)
		err = catch_signals(s);
	if (!err && edge)
		err = enroll_edge(s, what->edge, edge, &grpc);
	if (err)
		return err;
	if (!access_bootstrapped(s->access))
		log_event(
			LOG_WARN, "server.no_admin", LOGF_STR("data_dir", what->data_dir),
			LOGF_STR(
				"advice",
				"nobody can use the API yet: stop the server and run "
				"'portunus-server token-add NAME --role admin' with this --data-dir, or set "
				"operator_token in server.toml"));
	announce(s, &grpc, &http, &metrics);
	return 0;
}

/* @edge NULL: no edge here. */
static int serve_half(const struct cli_serve *what, const struct edge_half *edge)
{
	struct server s = {.store = NULL};
	union addr ignored;
	int err, rc = EXIT_OK;

	if (what->operator_http_listen && settings_listen(what->operator_http_listen, &ignored)) {
		fprintf(stderr,
			"error: '%s' is no address with a port; see --operator-http-listen and "
			"PORTUNUS_OPERATOR_HTTP_LISTEN\n",
			what->operator_http_listen);
		return EXIT_USAGE;
	}
	raise_fd_limit();
	err = start(&s, what, edge);
	if (err) {
		fprintf(stderr, "serve failed: %s\n", s.why[0] ? s.why : strerror(-err));
		rc = err == -EPROTO ? EXIT_SCHEMA : err == -EINVAL ? EXIT_USAGE : EXIT_OTHER;
	} else {
		event_base_dispatch(s.base);
		store_set_holder(s.store, "");
	}
	server_close(&s);
	return rc;
}

static int serve_beside_edge(void *arg, const char *data_dir, const char *bundle_path, int news_fd)
{
	struct cli_serve what = *(const struct cli_serve *)arg;

	what.data_dir = data_dir;
	return serve_half(&what, &(struct edge_half){bundle_path, news_fd});
}

static int serve(const struct cli_serve *what)
{
	log_init("portunus_server", getenv("RUST_LOG"));
	if (!what->edge)
		return serve_half(what, NULL);
	return supervisor_run(&(struct supervisor_config){
		.data_dir = what->data_dir,
		.user = what->user,
		.program = what->edge_program,
		.instance = what->edge_instance ? what->edge_instance : "",
		.stop_edge = what->edge_stop,
		.serve = serve_beside_edge,
		.arg = (void *)what,
	});
}

/* ---- one call on the store ---- */

static void keep_answer(void *arg, const struct api_answer *a)
{
	struct cli_reply *reply = arg;

	reply->status = a->status;
	reply->body = strndup(a->body, a->len);
}

static int direct(const struct cli_request *r, struct cli_reply *reply)
{
	struct server s = {.store = NULL};
	int err;

	/* The verb's own output is enough; what goes wrong is in its error. */
	log_init("portunus_server", "error");
	err = server_open(&s, r->data_dir);
	if (!err)
		err = open_enroll(&s, r->data_dir, r->advertised,
				  addr_port(&s.settings.control_listen));
	if (!err)
		err = open_api(&s);
	if (!err)
		api_local(s.api, r->method, r->target, r->body, keep_answer, reply);
	if (!err && !reply->body)
		err = -ENOMEM;
	if (err)
		snprintf(reply->why, sizeof(reply->why), "%s", s.why);
	if (err == -EBUSY && store_read_holder(r->data_dir, reply->why, sizeof(reply->why)))
		reply->why[0] = '\0';
	server_close(&s);
	return err;
}

int main(int argc, char **argv)
{
	static const struct cli_host host = {.serve = serve, .direct = direct};

	return cli_main(argc, argv, &host);
}
