// SPDX-License-Identifier: MIT
/* Putting the edge's parts together, and taking them apart again. */
#include "edge/start.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account/account.h"
#include "edge/control/control.h"
#include "edge/control/saved.h"
#include "edge/events.h"
#include "edge/kernelrelay/kernelrelay.h"
#include "edge/loop/offload.h"
#include "edge/program.h"
#include "edge/relay/relay.h"
#include "edge/resolve/resolve.h"
#include "edge/role.h"
#include "edge/rules/apply.h"
#include "edge/rules/table.h"
#include "edge/status/status.h"
#include "edge/target/hops.h"
#include "edge/watch/netlink.h"
#include "edge/watch/probe.h"
#include "edge/worker/cpus.h"
#include "edge/worker/watchdog.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define SWEEP_PERIOD_MS 15000
#define SWEEP_LIMIT_MS	75000
#define FD_RESERVE_MAX	1024
#define FILES_STOP_MS	3000

/* Two numbers, for tests that cannot wait 75 s: PORTUNUS_TEST_SWEEP="period_ms:limit_ms". */
static void sweep_times(struct worker_config *c)
{
	const char *text = getenv("PORTUNUS_TEST_SWEEP");

	c->sweep_period_ms = SWEEP_PERIOD_MS;
	c->sweep_limit_ms = SWEEP_LIMIT_MS;
	if (text)
		sscanf(text, "%u:%u", &c->sweep_period_ms, &c->sweep_limit_ms);
}

static int start_workers(struct program *p)
{
	struct worker_config c = {
		.account = p->account,
		.resolver = p->resolver,
		.hops = p->hops,
		.flow_hops = p->flow_hops,
		.flow_limits = &p->flow_limits,
		.no_sni_alert = &p->no_sni_alert,
		.fd_reserve = p->fd_limit / 8 < FD_RESERVE_MAX ? p->fd_limit / 8 : FD_RESERVE_MAX,
		.no_splice = p->options.no_splice,
		.kernel = p->kernel,
	};
	unsigned want = p->options.workers;

	if (!want)
		want = cpus_allowed() < WORKERS_MAX ? cpus_allowed() : WORKERS_MAX;
	if (!c.no_splice && relay_splice_refused(0)) {
		c.no_splice = true;
		log_event(LOG_WARN, "relay.copying", LOGF_STR("error", "splice(2) is refused"),
			  LOGF_STR("hint",
				   "bulk transfers take more CPU; allow splice in the seccomp "
				   "profile of the container or unit"));
	}
	p->kernel = kernel_relay_new(&(struct kernel_relay_config){
		.bpffs = p->options.bpffs,
		.instance = p->options.instance,
		.targets_fd = account_targets_fd(p->account),
		.n_workers = want,
	});
	if (!p->kernel)
		return -ENOMEM;
	account_before_refresh(p->account, kernel_relay_fold, p->kernel);
	c.kernel = p->kernel;
	sweep_times(&c);
	selector_open(&p->selector, want);
	c.selector = &p->selector;
	for (; p->n_workers < want; p->n_workers++) {
		int err;

		c.index = p->n_workers;
		err = worker_start(&p->workers[p->n_workers], &c);
		if (err) {
			fprintf(stderr, "error: worker thread: %s\n", strerror(-err));
			return err;
		}
	}
	kernel_relay_take_up(p->kernel);
	return 0;
}

static int start_parts(struct program *p)
{
	char scope[CONTROL_SCOPE_MAX];
	struct account_config account = {
		.instance = p->options.instance,
		.bpffs = p->options.bpffs,
		.scope = p->options.rules ? "file:" : scope,
		.disable = p->options.account_user,
		.event = program_account_event,
		.arg = p,
	};
	struct rule_table_config table = {
		.drain_timeout_ms = p->options.drain_secs * 1000,
		.health_changed = program_health_changed,
		.rules_changed = program_rules_changed,
		.arg = p,
	};

	control_scope(&p->bundle, scope);
	p->base = event_base_new();
	p->account = account_open(&account);
	if (!p->base || !p->account)
		return -ENOMEM;
	p->resolver = resolve_new(p->base);
	if (!p->resolver)
		return -EIO;
	p->hops = hops_new();
	p->flow_hops = hops_new();
	if (!p->hops || !p->flow_hops || start_workers(p) < 0)
		return -EIO;
	p->watchdog = watchdog_start(p->workers, p->n_workers);
	if (!p->watchdog)
		return -errno;
	table.base = p->base;
	table.account = p->account;
	table.kernel = p->kernel;
	table.workers = p->workers;
	table.n_workers = p->n_workers;
	table.fd_limit = p->fd_limit;
	p->table = rule_table_new(&table);
	p->prober = prober_new(p->base, p->workers, p->n_workers);
	if (!p->table || !p->prober || program_add_events(p) < 0)
		return -ENOMEM;
	p->netlink = netlink_new(p->base, program_network_changed, p);
	if (!p->netlink)
		log_event(LOG_WARN, "netlink.unavailable", LOGF_STR("error", strerror(errno)),
			  LOGF_STR("hint", "network changes do not trigger re-checks"));
	return 0;
}

/* The threads that tag sockets have ended. */
static void close_account(struct program *p)
{
	int left = account_detach(p->account);

	if (left)
		log_event(LOG_INFO, "accounting.left_attached",
			  LOGF_UINT("sockets", left > 0 ? (unsigned)left : 0),
			  LOGF_STR("error", left < 0 ? strerror(-left) : NULL),
			  LOGF_STR("hint",
				   "the programs count for sockets that outlive the process; "
				   "the next clean stop, or portunus-client unpin, takes them "
				   "off"));
	account_close(p->account);
}

/* In the order that lets nothing be used after it is gone; each may be missing. */
void program_stop(struct program *p)
{
	bool idle = !p->files || offload_free(p->files, FILES_STOP_MS);

	status_free(p->status);
	/* What still waits for a file keeps what it is about until the process ends. */
	if (idle) {
		control_free(p->control);
		rulefile_reader_free(p->rulefile);
	}
	if (p->refresher)
		refresher_free(p->refresher);
	watchdog_stop(p->watchdog);
	for (unsigned i = 0; i < p->n_workers; i++)
		worker_stop(&p->workers[i]);
	selector_close(&p->selector);
	kernel_relay_free(p->kernel);
	if (p->table)
		rule_table_free(p->table);
	if (p->prober)
		prober_free(p->prober);
	if (p->netlink)
		netlink_free(p->netlink);
	program_free_events(p);
	hops_free(p->hops);
	hops_free(p->flow_hops);
	if (p->resolver)
		resolve_free(p->resolver);
	if (p->account)
		close_account(p);
	if (p->base)
		event_base_free(p->base);
}

/* The saved rules are served before the server is asked. */
static int start_control(struct program *p)
{
	char saved[4096];
	struct control_config c = {
		.base = p->base,
		.table = p->table,
		.account = p->account,
		.refresher = p->refresher,
		.files = p->files,
		.reloaded = program_reloaded,
		.arg = p,
		.flow_limits = &p->flow_limits,
		.no_sni_alert = &p->no_sni_alert,
		.never_sni_alert = p->options.no_sni_alert,
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
	p->regular.done = program_refreshed;
	p->refresher = refresher_new(p->base, p->account);
	p->files = offload_new(p->base, "files");
	if (!p->refresher || !p->files)
		return -errno;
	if (!p->options.rules)
		return start_control(p);
	p->rulefile = rulefile_reader_new(p->options.rules, &p->role->source, p->table, p->files,
					  program_reloaded, p);
	if (!p->rulefile)
		return -ENOMEM;
	rulefile_apply(p->options.rules, &p->file, p->table);
	account_slots_settled(p->account);
	return 0;
}

/* Without it everything else goes on: the operator is told, not the clients. */
static void serve_status(struct program *p)
{
	struct status_config c = {
		.base = p->base,
		.table = p->table,
		.account = p->account,
		.workers = p->workers,
		.n_workers = p->n_workers,
		.path = p->options.status_socket,
		.metrics = p->options.metrics_listen,
		.instance = p->options.instance,
		.rules_from = p->rules_from,
		.sandbox = p->sandbox,
		.lag = &p->lag,
		.control = p->control,
		.kernel = p->kernel,
		.refresher = p->refresher,
		.started_unix_ms = clock_wall_ms(),
		.started_ns = clock_mono_ns(),
	};
	char path[128];

	if (!c.path) {
		instance_socket(p->run_dir, p->options.instance, path, sizeof(path));
		c.path = path;
	}
	snprintf(p->rules_from, sizeof(p->rules_from), "%s %s", p->control ? "server" : "file",
		 p->control ? p->bundle.server_endpoint : p->options.rules);
	p->status = status_new(&c);
	if (!p->status)
		log_event(
			LOG_WARN, "status.unavailable", LOGF_STR("path", c.path),
			LOGF_STR("error", strerror(errno)),
			LOGF_STR("hint",
				 "stats, drain and the other verbs, and /metrics, do not work; see "
				 "--status-socket"));
}

int program_start(struct program *p)
{
	int err = start_parts(p);

	if (!err)
		err = start_rules(p);
	if (!err)
		serve_status(p);
	return err;
}
