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
#include "edge/instance.h"
#include "edge/netlink.h"
#include "edge/options.h"
#include "edge/probe.h"
#include "edge/resolve.h"
#include "edge/status.h"
#include "edge/verbs.h"
#include "edge/worker.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rule.h"

#define SWEEP_PERIOD_MS	 15000
#define SWEEP_LIMIT_MS	 75000
#define DRAIN_POLL_MS	 20
#define SYNC_DELAY_MS	 10 /* changes that come together are taken up together */
#define FD_RESERVE_MAX	 1024
#define REFRESH_EVERY_MS 30000

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
	struct event *signals[3];
	struct event *account_news, *every_second, *sync, *drain;
	uint64_t drain_until_ns, refreshed_ns;
	char rules_from[512]; /* for the local view */
	int lock_fd;
};

static const struct timeval one_second = {.tv_sec = 1};
static const struct timeval sync_delay = {.tv_usec = SYNC_DELAY_MS * 1000};
static const struct timeval drain_poll = {.tv_usec = DRAIN_POLL_MS * 1000};

/* ---- rules ---- */

static void say_file_error(const char *path, const struct rule_error *err)
{
	if (err->line)
		fprintf(stderr, "error: %s:%d:%d: %s: %s\n", path, err->line, err->column,
			err->code, err->message);
	else
		fprintf(stderr, "error: %s: %s: %s\n", path, err->code, err->message);
}

static int check_rules(const char *path)
{
	struct rule_error err = {0};
	struct rule **rules;
	size_t n;

	if (rules_read_file(path, &rules, &n, &err) < 0) {
		say_file_error(path, &err);
		return 2;
	}
	rules_free(rules, n);
	printf("ok\n");
	return 0;
}

static void reload(struct program *p)
{
	const char *path = p->options.rules;
	struct rule_error err = {0};
	struct rule **rules;
	size_t n;

	if (rules_read_file(path, &rules, &n, &err) < 0) {
		log_event(LOG_ERROR, "rules.rejected", LOGF_STR("path", path),
			  LOGF_INT("line", err.line), LOGF_INT("column", err.column),
			  LOGF_STR("code", err.code), LOGF_STR("message", err.message),
			  LOGF_STR("hint", "the rules in force are unchanged"));
		return;
	}
	if (edge_apply(p->edge, rules, n) < 0)
		log_event(LOG_ERROR, "rules.rejected", LOGF_STR("path", path),
			  LOGF_STR("message", "out of memory"),
			  LOGF_STR("hint", "the rules in force are unchanged"));
	else
		log_event(LOG_INFO, "rules.loaded", LOGF_STR("path", path), LOGF_UINT("rules", n));
	rules_free(rules, n);
}

static void on_rules_changed(void *arg, struct rule_state *rs)
{
	struct program *p = arg;

	if (!rs && !evtimer_pending(p->sync, NULL))
		evtimer_add(p->sync, &sync_delay);
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

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	uint64_t now = clock_mono_ns();

	edge_housekeeping(p->edge);
	/* Nobody may ask for weeks; records of former targets go all the same. */
	if (now - p->refreshed_ns > REFRESH_EVERY_MS * NS_PER_MS) {
		p->refreshed_ns = now;
		account_refresh(p->account, now - NS_PER_SEC);
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
		.started_unix_ms = clock_wall_ms(),
	};
	char path[128];

	if (!c.path) {
		instance_socket(p->options.instance, path, sizeof(path));
		c.path = path;
	}
	snprintf(p->rules_from, sizeof(p->rules_from), "file %s", p->options.rules);
	p->status = status_new(&c);
	if (!p->status)
		log_event(LOG_WARN, "status.unavailable", LOGF_STR("path", c.path),
			  LOGF_STR("error", strerror(errno)),
			  LOGF_STR("hint", "stats, drain and the other verbs do not work; see "
					   "--status-socket"));
}

static int start(struct program *p)
{
	struct account_config account = {
		.instance = p->options.instance,
		.bpffs = p->options.bpffs,
		.scope = "file:",
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
	serve_status(p);
	return 0;
}

/* In the order that lets nothing be used after it is gone; each may be missing. */
static void stop(struct program *p)
{
	status_free(p->status);
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

static int serve(struct program *p)
{
	struct rule_error err = {0};
	struct rule **rules;
	size_t n;

	if (rules_read_file(p->options.rules, &rules, &n, &err) < 0) {
		say_file_error(p->options.rules, &err);
		return 2;
	}
	rules_free(rules, n);
	p->fd_limit = raise_fd_limit();
	signal(SIGPIPE, SIG_IGN);
	if (take_lock(p) < 0)
		return 1;
	if (start(p) < 0) {
		fprintf(stderr, "error: could not start (see the log lines above)\n");
		stop(p);
		return 1;
	}
	reload(p);
	account_slots_settled(p->account);
	log_started(p);
	event_base_dispatch(p->base);
	stop(p);
	log_event(LOG_INFO, "edge.stopped");
	return 0;
}

int main(int argc, char **argv)
{
	const struct verb *verb = argc > 1 ? verb_find(argv[1]) : NULL;
	struct program *p;
	int status;

	if (verb)
		return verb_run(verb, argc - 1, argv + 1);
	log_init("portunus_client", getenv("RUST_LOG"));
	p = calloc(1, sizeof(*p));
	if (!p)
		return 1;
	status = options_parse(argc, argv, &p->options);
	if (status < 0 && !p->options.rules) {
		fprintf(stderr, "error: --rules FILE says what to forward (try --help)\n");
		status = 2;
	}
	if (status < 0)
		status = p->options.check ? check_rules(p->options.rules) : serve(p);
	free(p);
	return status;
}
