// SPDX-License-Identifier: MIT
/* The server that serves: its listeners, its signals, its life. */
#include "server/run/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "api/api.h"
#include "cli/cli.h"
#include "lib/base/clock.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/notify.h"
#include "lib/base/process.h"
#include "lib/grpc/grpc.h"
#include "lib/tls/tls.h"
#include "server/access/credentials.h"
#include "server/control/stream.h"
#include "server/fleet/renewal.h"
#include "server/run/local_edge.h"
#include "server/run/parts.h"
#include "server/run/privilege.h"
#include "server/run/reload.h"
#include "server/run/supervisor.h"
#include "server/store/store.h"

#define SWEEP_SECS 5

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

/* Those whose change has been stored since the stop get their answer. */
static void on_all_stored(void *arg, int err)
{
	const struct timeval flush = {.tv_usec = 50000};
	struct server *s = arg;

	event_base_loopexit(s->base, &flush);
}

/* The edges have been told; see on_stop(). */
static void on_grpc_stopped(struct grpc_server *server, void *arg)
{
	struct server *s = arg;

	s->grpc = NULL;
	if (store_commit(store_begin(s->store), on_all_stored, s))
		event_base_loopbreak(s->base);
}

static const struct grpc_server_ops grpc_ops = {.call = on_grpc_call, .stopped = on_grpc_stopped};

/* Control listener: certificate, TLS, gRPC. *bound gets its real address. */
static int open_control(struct server *s, const struct cli_serve *what, union addr *bound)
{
	struct grpc_server_conf conf = {.listen = s->settings.control_listen};
	int err = server_ensure_certificate(s, what->data_dir, what->advertised);

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
		.no_sni_alert = !s->settings.sni_miss_alert,
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
	err = server_open_enroll(s, what->data_dir, what->advertised, bound);
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
		err = server_open_api(s);
	if (err)
		return err;
	api_set_control_tls(s->api, s->grpc_tls);
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
	notify_stopping("stopping");
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
	struct server *s = arg;

	reload(s->data_dir, &s->settings, s->access, s->http_tls);
}

/* At the start and once a day. */
static void warn_of_expiries(struct server *s)
{
	uint64_t now = clock_mono_ns();

	if (s->expiry_seen_ns && now - s->expiry_seen_ns < 86400 * NS_PER_SEC)
		return;
	s->expiry_seen_ns = now;
	warn_of_expiry("control", s->settings.tls_cert_path);
	if (s->settings.operator_http_tls_cert_path)
		warn_of_expiry("operator_http", s->settings.operator_http_tls_cert_path);
}

/* What ends by time ends also when nobody asks. */
static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	access_sweep(s->access);
	renewal_sweep(s->renewal);
	warn_of_expiries(s);
}

static void on_alive(evutil_socket_t fd, short what, void *arg)
{
	notify_alive();
}

static int catch_signals(struct server *s)
{
	const uint64_t us = notify_alive_every_us();
	const struct timeval sweep = {.tv_sec = SWEEP_SECS};
	const struct timeval alive = {.tv_sec = (time_t)(us / 1000000),
				      .tv_usec = (suseconds_t)(us % 1000000)};

	if (us)
		s->alive = event_new(s->base, -1, EV_PERSIST, on_alive, s);
	if (s->alive)
		event_add(s->alive, &alive);
	s->on_int = evsignal_new(s->base, SIGINT, on_stop, s);
	s->on_term = evsignal_new(s->base, SIGTERM, on_stop, s);
	s->on_hup = evsignal_new(s->base, SIGHUP, on_hup, s);
	s->sweep = event_new(s->base, -1, EV_PERSIST, on_sweep, s);
	if (!s->on_int || !s->on_term || !s->on_hup || !s->sweep || event_add(s->on_int, NULL) ||
	    event_add(s->on_term, NULL) || event_add(s->on_hup, NULL) ||
	    event_add(s->sweep, &sweep))
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
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX], c[ADDR_TEXT_MAX], holder[ADDR_TEXT_MAX + 96];
	char pin_hex[2 * TLS_PIN_SIZE + 1];
	uint8_t pin[TLS_PIN_SIZE];

	addr_text(grpc, a, sizeof(a));
	addr_text(http, b, sizeof(b));
	addr_text(metrics, c, sizeof(c));
	snprintf(holder, sizeof(holder), "%s%s", s->http_tls ? "https://" : "http://", b);
	/* Who can read the lock file knows the certificate, whoever issued it. */
	if (s->http_tls && !tls_pin_of_ctx(s->http_tls, pin)) {
		hex_write(pin, sizeof(pin), pin_hex);
		snprintf(holder + strlen(holder), sizeof(holder) - strlen(holder), " sha256:%s",
			 pin_hex);
	}
	strcat(holder, "\n");
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

static void warn_of_what_is_wrong(const struct server *s, const char *data_dir)
{
	if (store_was_restored(s->store))
		log_event(LOG_WARN, "store.restored", LOGF_STR("data_dir", data_dir),
			  LOGF_UINT("rule_ids_above", store_rule_highest(s->store)),
			  LOGF_STR("advice",
				   "state.db is an older copy: tokens and edges that were "
				   "revoked since it was made are valid again, look "
				   "through token-list and list-clients"));
	if (s->settings.operator_token && settings_exposed(data_dir))
		log_event(LOG_WARN, "settings.exposed", LOGF_STR("data_dir", data_dir),
			  LOGF_STR("advice", "server.toml has the operator_token and others may "
					     "read the file: chmod 600 server.toml"));
}

static int start(struct server *s, const struct cli_serve *what, const struct edge_half *edge)
{
	union addr grpc, http, metrics;
	int err = server_open(s, what->data_dir);

	s->data_dir = what->data_dir;
	if (!err && what->operator_http_listen)
		err = settings_listen(what->operator_http_listen,
				      &s->settings.operator_http_listen);
	if (!err)
		err = store_serve(s->store, s->base);
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
	warn_of_what_is_wrong(s, what->data_dir);
	warn_of_expiries(s);
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
	/* Again: beside an edge this is a child of fork(). Without the thread the loop waits for stderr. */
	log_start();
	err = start(&s, what, edge);
	if (err) {
		fprintf(stderr, "serve failed: %s\n", s.why[0] ? s.why : strerror(-err));
		rc = err == -EPROTO ? EXIT_SCHEMA : err == -EINVAL ? EXIT_USAGE : EXIT_OTHER;
	} else {
		notify_ready("serving");
		process_take_signals();
		event_base_dispatch(s.base);
		store_set_holder(s.store, "");
	}
	server_close(&s);
	log_stop();
	return rc;
}

static int serve_beside_edge(void *arg, const char *data_dir, const char *bundle_path, int news_fd)
{
	struct cli_serve what = *(const struct cli_serve *)arg;

	what.data_dir = data_dir;
	return serve_half(&what, &(struct edge_half){bundle_path, news_fd});
}

int serve(const struct cli_serve *what)
{
	char why[600] = "";
	int rc;

	log_init("portunus_server", getenv("RUST_LOG"));
	if (!what->edge && run_as_owner(what->data_dir, CLI_UNIT_DIR, why, sizeof(why))) {
		fprintf(stderr, "serve failed: %s\n", why);
		return EXIT_OTHER;
	}
	log_start();
	if (!what->edge)
		return serve_half(what, NULL);
	rc = supervisor_run(&(struct supervisor_config){
		.data_dir = what->data_dir,
		.user = what->user,
		.program = what->edge_program,
		.instance = what->edge_instance ? what->edge_instance : "",
		.stop_edge = what->edge_stop,
		.serve = serve_beside_edge,
		.arg = (void *)what,
	});
	log_stop();
	return rc;
}
