// SPDX-License-Identifier: MIT
/* portunus-client: puts the parts together, and takes them apart again. */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "edge/account.h"
#include "edge/apply.h"
#include "edge/apply_jobs.h"
#include "edge/control.h"
#include "edge/enroll.h"
#include "edge/netlink.h"
#include "edge/options.h"
#include "edge/probe.h"
#include "edge/refresh.h"
#include "edge/resolve.h"
#include "edge/rulefile.h"
#include "edge/saved.h"
#include "edge/status.h"
#include "edge/verbs.h"
#include "edge/worker.h"
#include "lib/bundle.h"
#include "lib/clock.h"
#include "lib/instance.h"
#include "lib/log.h"

#define SWEEP_PERIOD_MS 15000
#define SWEEP_LIMIT_MS	75000
#define DRAIN_POLL_MS	20
#define SYNC_DELAY_MS	10 /* changes that come together are taken up together */
#define FD_RESERVE_MAX	1024
/* Nobody may ask for weeks. The records that others look at by themselves, with bpftool, are then no
 * older than this, and those of former targets go. */
#define REFRESH_EVERY_MS 5000

struct program {
	struct options options;
	struct event_base *base;
	struct account *account;
	struct resolver *resolver;
	struct worker workers[WORKERS_MAX];
	unsigned n_workers, fd_limit;
	struct edge *edge;
	struct prober *prober;
	struct netlink *netlink;
	struct status *status;
	struct refresher *refresher;
	struct control *control; /* NULL: the rules are a file's */
	struct rulefile file;	 /* until it is applied */
	struct bundle bundle;
	char bundle_path[4096];
	struct event *signals[3];
	struct event *account_news, *every_second, *sync, *drain;
	struct refresh regular; /* of the records, every REFRESH_EVERY_MS */
	bool refreshing;
	uint64_t drain_until_ns, refreshed_ns;
	char rules_from[512]; /* for the local view */
	int lock_fd;
};

static const struct timeval one_second = {.tv_sec = 1};
static const struct timeval sync_delay = {.tv_usec = SYNC_DELAY_MS * 1000};
static const struct timeval drain_poll = {.tv_usec = DRAIN_POLL_MS * 1000};

/* ---- rules ---- */

static void on_rules_changed(void *arg, struct rule_state *rs)
{
	struct program *p = arg;

	if (!rs && !evtimer_pending(p->sync, NULL))
		evtimer_add(p->sync, &sync_delay);
	if (p->control)
		control_rules_news(p->control, rs);
}

static void on_sync(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	prober_sync(p->prober, p->edge);
}

static void on_health_changed(void *arg, struct rule_state *rs, struct target *t,
			      enum health_state to)
{
	struct program *p = arg;

	prober_health_changed(p->prober, t);
	if (p->control)
		control_health_news(p->control, rs);
}

/* ---- news from elsewhere ---- */

static void on_names_ready(void *arg)
{
	struct program *p = arg;

	for (unsigned i = 0; i < p->n_workers; i++)
		job_names_ready(&p->workers[i]);
}

static void on_network_changed(void *arg)
{
	struct program *p = arg;

	resolve_reload(p->resolver);
	prober_network_changed(p->prober);
	edge_retry_binds(p->edge);
	if (p->control)
		control_network_changed(p->control);
}

static void on_account_event(void *arg, uint64_t slot, int kind, int error)
{
	log_event(LOG_DEBUG,
		  kind == ACCOUNT_EVENT_RESET ? "kernel.connection_reset" : "kernel.connect_failed",
		  LOGF_UINT("slot", slot), LOGF_STR("error", strerror(error)));
}

static void on_account_news(evutil_socket_t fd, short what, void *arg)
{
	account_poll(arg);
}

static void on_refreshed(struct refresh *r)
{
	struct program *p = (struct program *)((char *)r - offsetof(struct program, regular));

	p->refreshing = false;
	p->refreshed_ns = clock_mono_ns();
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	uint64_t now = clock_mono_ns();

	edge_housekeeping(p->edge);
	if (!p->refreshing && now - p->refreshed_ns >= REFRESH_EVERY_MS * NS_PER_MS) {
		p->refreshing = true;
		refresher_ask(p->refresher, &p->regular);
	}
}

/* ---- the end ---- */

static void on_drain_poll(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	if (edge_connections(p->edge) && clock_mono_ns() < p->drain_until_ns)
		return;
	event_base_loopbreak(p->base);
}

static void reload(struct program *p)
{
	if (p->control)
		control_reload(p->control);
	else
		rulefile_reload(p->options.rules, p->edge);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct program *p = arg;

	if (sig == SIGHUP) {
		reload(p);
		return;
	}
	if (event_pending(p->drain, EV_TIMEOUT, NULL)) {
		/* Asked twice: at once. */
		event_base_loopbreak(p->base);
		return;
	}
	log_event(LOG_INFO, "edge.stopping", LOGF_UINT("connections", edge_connections(p->edge)),
		  LOGF_UINT("drain_secs", p->options.drain_secs));
	/* First the channel, or a push would listen again. */
	if (p->control)
		control_stop(p->control);
	edge_stop_listening(p->edge);
	p->drain_until_ns = clock_mono_ns() + p->options.drain_secs * NS_PER_SEC;
	event_add(p->drain, &drain_poll);
	on_drain_poll(-1, 0, p);
}

/* ---- the beginning ---- */

/* Two numbers, for tests that cannot wait 75 s: PORTUNUS_TEST_SWEEP="period_ms:limit_ms". */
static void sweep_times(struct worker_config *c)
{
	const char *text = getenv("PORTUNUS_TEST_SWEEP");

	c->sweep_period_ms = SWEEP_PERIOD_MS;
	c->sweep_limit_ms = SWEEP_LIMIT_MS;
	if (text)
		sscanf(text, "%u:%u", &c->sweep_period_ms, &c->sweep_limit_ms);
}

static unsigned raise_fd_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return 1024;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	getrlimit(RLIMIT_NOFILE, &lim);
	return (unsigned)lim.rlim_cur;
}

static int start_workers(struct program *p)
{
	const char *no_splice = getenv("PORTUNUS_DISABLE_SPLICE");
	struct worker_config c = {
		.account = p->account,
		.resolver = p->resolver,
		.fd_reserve = p->fd_limit / 8 < FD_RESERVE_MAX ? p->fd_limit / 8 : FD_RESERVE_MAX,
		.no_splice = no_splice && *no_splice,
	};
	unsigned want = p->options.workers;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (!want)
		want = cpus < 1 ? 1 : cpus > WORKERS_MAX ? WORKERS_MAX : (unsigned)cpus;
	sweep_times(&c);
	for (; p->n_workers < want; p->n_workers++) {
		int err;

		c.index = p->n_workers;
		err = worker_start(&p->workers[p->n_workers], &c);
		if (err) {
			fprintf(stderr, "error: worker thread: %s\n", strerror(-err));
			return err;
		}
	}
	return 0;
}

static struct event *add_event(struct program *p, int fd, short what, event_callback_fn fn,
			       void *arg, const struct timeval *tv)
{
	struct event *ev = event_new(p->base, fd, what, fn, arg);

	if (ev)
		event_add(ev, tv);
	return ev;
}

static int add_events(struct program *p)
{
	static const int sigs[] = {SIGTERM, SIGINT, SIGHUP};
	bool ok = true;

	for (unsigned i = 0; i < 3; i++) {
		p->signals[i] = add_event(p, sigs[i], EV_SIGNAL | EV_PERSIST, on_signal, p, NULL);
		ok &= p->signals[i] != NULL;
	}
	p->every_second = add_event(p, -1, EV_PERSIST, on_second, p, &one_second);
	p->drain = event_new(p->base, -1, EV_PERSIST, on_drain_poll, p);
	p->sync = evtimer_new(p->base, on_sync, p);
	if (account_event_fd(p->account) >= 0)
		p->account_news = add_event(p, account_event_fd(p->account), EV_READ | EV_PERSIST,
					    on_account_news, p->account, NULL);
	return ok && p->every_second && p->drain && p->sync ? 0 : -ENOMEM;
}

static int take_lock(struct program *p)
{
	pid_t holder;

	p->lock_fd = instance_lock(p->options.instance, &holder);
	if (p->lock_fd == -EBUSY)
		fprintf(stderr,
			"error: another portunus-client (pid %d) runs as instance '%s'; stop it, or "
			"give this one a name of its own with --instance\n",
			(int)holder, *p->options.instance ? p->options.instance : "default");
	else if (p->lock_fd < 0)
		fprintf(stderr, "error: lock in " INSTANCE_RUN_DIR ": %s\n", strerror(-p->lock_fd));
	return p->lock_fd < 0 ? p->lock_fd : 0;
}

/* Without it everything else goes on: the operator is told, not the clients. */
static void serve_status(struct program *p)
{
	struct status_config c = {
		.base = p->base,
		.edge = p->edge,
		.account = p->account,
		.workers = p->workers,
		.n_workers = p->n_workers,
		.path = p->options.status_socket,
		.instance = p->options.instance,
		.rules_from = p->rules_from,
		.control = p->control,
		.started_unix_ms = clock_wall_ms(),
	};
	char path[128];

	if (!c.path) {
		instance_socket(p->options.instance, path, sizeof(path));
		c.path = path;
	}
	snprintf(p->rules_from, sizeof(p->rules_from), "%s %s", p->control ? "server" : "file",
		 p->control ? p->bundle.server_endpoint : p->options.rules);
	p->status = status_new(&c);
	if (!p->status)
		log_event(LOG_WARN, "status.unavailable", LOGF_STR("path", c.path),
			  LOGF_STR("error", strerror(errno)),
			  LOGF_STR("hint", "stats, drain and the other verbs do not work; see "
					   "--status-socket"));
}

static int start(struct program *p)
{
	char scope[CONTROL_SCOPE_MAX];
	struct account_config account = {
		.instance = p->options.instance,
		.bpffs = p->options.bpffs,
		.scope = p->options.rules ? "file:" : scope,
		.disable = p->options.account_user,
		.event = on_account_event,
		.arg = p,
	};
	struct edge_config edge = {
		.drain_timeout_ms = p->options.drain_secs * 1000,
		.health_changed = on_health_changed,
		.rules_changed = on_rules_changed,
		.arg = p,
	};

	control_scope(&p->bundle, scope);
	p->base = event_base_new();
	p->account = account_open(&account);
	if (!p->base || !p->account)
		return -ENOMEM;
	p->resolver = resolve_new(p->base, on_names_ready, p);
	if (!p->resolver)
		return -EIO;
	if (start_workers(p) < 0)
		return -EIO;
	edge.base = p->base;
	edge.account = p->account;
	edge.workers = p->workers;
	edge.n_workers = p->n_workers;
	edge.fd_limit = p->fd_limit;
	p->edge = edge_new(&edge);
	p->prober = prober_new(p->base, p->workers, p->n_workers);
	if (!p->edge || !p->prober || add_events(p) < 0)
		return -ENOMEM;
	p->netlink = netlink_new(p->base, on_network_changed, p);
	if (!p->netlink)
		log_event(LOG_WARN, "netlink.unavailable", LOGF_STR("error", strerror(errno)),
			  LOGF_STR("hint", "network changes do not trigger re-checks"));
	return 0;
}

/* In the order that lets nothing be used after it is gone; each may be missing. */
static void stop(struct program *p)
{
	status_free(p->status);
	control_free(p->control);
	if (p->refresher)
		refresher_free(p->refresher);
	for (unsigned i = 0; i < p->n_workers; i++)
		worker_stop(&p->workers[i]);
	if (p->edge)
		edge_free(p->edge);
	if (p->prober)
		prober_free(p->prober);
	if (p->netlink)
		netlink_free(p->netlink);
	for (unsigned i = 0; i < 3; i++)
		if (p->signals[i])
			event_free(p->signals[i]);
	if (p->account_news)
		event_free(p->account_news);
	if (p->every_second)
		event_free(p->every_second);
	if (p->drain)
		event_free(p->drain);
	if (p->sync)
		event_free(p->sync);
	if (p->resolver)
		resolve_free(p->resolver);
	if (p->account)
		account_close(p->account);
	if (p->base)
		event_base_free(p->base);
}

static void log_started(const struct program *p)
{
	log_event(LOG_INFO, "edge.started", LOGF_STR("version", PORTUNUS_VERSION),
		  LOGF_UINT("workers", p->n_workers),
		  LOGF_STR("accounting", account_mode(p->account) == ACCOUNT_BPF ? "bpf" : "user"),
		  LOGF_STR("reason", account_reason(p->account)),
		  LOGF_STR("relay", p->workers[0].config.no_splice ? "copy" : "splice"),
		  LOGF_UINT("rules", edge_rules(p->edge)), LOGF_UINT("fd_limit", p->fd_limit));
}

/* The saved rules are served before the server is asked. */
static int start_control(struct program *p)
{
	char saved[4096];
	struct control_config c = {
		.base = p->base,
		.edge = p->edge,
		.account = p->account,
		.refresher = p->refresher,
		.bundle = &p->bundle,
		.bundle_path = p->bundle_path,
		.saved_path = saved,
		.reconnect_initial_ms = p->options.reconnect_initial_ms,
		.reconnect_max_secs = p->options.reconnect_max_secs,
		.report_interval_secs = p->options.report_secs,
	};

	if (saved_path(p->options.state_dir, p->options.instance, saved, sizeof(saved)) < 0)
		return -ENAMETOOLONG;
	p->control = control_new(&c);
	return p->control ? 0 : -ENOMEM;
}

static int start_rules(struct program *p)
{
	p->regular.done = on_refreshed;
	p->refresher = refresher_new(p->base, p->account);
	if (!p->refresher)
		return -errno;
	if (!p->options.rules)
		return start_control(p);
	rulefile_apply(p->options.rules, &p->file, p->edge);
	account_slots_settled(p->account);
	return 0;
}

/* Whose rules to serve, before anything is touched. Returns -1 to go on, or the exit status. */
static int find_rules(struct program *p)
{
	if (p->options.rules)
		return rulefile_read(p->options.rules, &p->file) < 0 ? 2 : -1;
	return enroll_find_bundle(p->options.bundle, &p->bundle, p->bundle_path) < 0 ? 1 : -1;
}

static int serve(struct program *p)
{
	int status = find_rules(p);

	if (status >= 0)
		return status;
	p->fd_limit = raise_fd_limit();
	if (take_lock(p) < 0)
		return 1;
	if (start(p) < 0 || start_rules(p) < 0) {
		fprintf(stderr, "error: could not start (see the log lines above)\n");
		stop(p);
		return 1;
	}
	serve_status(p);
	log_started(p);
	event_base_dispatch(p->base);
	stop(p);
	log_event(LOG_INFO, "edge.stopped");
	return 0;
}

static int check_rules(const char *path)
{
	struct rulefile f;

	if (rulefile_read(path, &f) < 0)
		return 2;
	rulefile_free(&f);
	printf("ok\n");
	return 0;
}

int main(int argc, char **argv)
{
	const struct verb *verb = argc > 1 ? verb_find(argv[1]) : NULL;
	struct program *p;
	int status;

	log_init("portunus_client", getenv("RUST_LOG"));
	if (verb)
		return verb_run(verb, argc - 1, argv + 1);
	signal(SIGPIPE, SIG_IGN);
	p = calloc(1, sizeof(*p));
	if (!p)
		return 1;
	status = options_parse(argc, argv, &p->options);
	if (status < 0)
		status = p->options.check ? check_rules(p->options.rules) : serve(p);
	rulefile_free(&p->file);
	free(p);
	return status;
}
