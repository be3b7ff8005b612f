// SPDX-License-Identifier: MIT
/* Serving as an edge, from the rules to the end of the process. */
#include "edge/serve.h"

#include <errno.h>
#include <event2/event.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "edge/account/account.h"
#include "edge/events.h"
#include "edge/program.h"
#include "edge/role.h"
#include "edge/rules/table.h"
#include "edge/sandbox/capabilities.h"
#include "edge/sandbox/syscalls.h"
#include "edge/start.h"
#include "lib/base/log.h"
#include "lib/base/notify.h"
#include "lib/base/process.h"

/* What tests steer the edge by counts only for who asks for it: nobody's environment does else. */
static void forget_test_variables(void)
{
	unsetenv("PORTUNUS_DNS_SERVERS");
	unsetenv("PORTUNUS_TEST_SECCOMP");
	unsetenv("PORTUNUS_TEST_SWEEP");
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

/* A sanitizer's end of the process makes system calls that an edge has no business with. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT_SYSCALLS false
#else
#define LIMIT_SYSCALLS true
#endif

/* What cannot be given up is said, and the edge serves all the same. */
static void enter_sandbox(struct program *p)
{
	const char *test = getenv("PORTUNUS_TEST_SECCOMP"), *what = "capabilities";
	const char *write[4] = {NULL};
	char socket_dir[PATH_MAX];
	unsigned n = 0;
	int err;

	if (p->options.no_sandbox) {
		p->sandbox = "off";
		return;
	}
	p->sandbox = "on";
	if (p->options.status_socket) {
		snprintf(socket_dir, sizeof(socket_dir), "%s", p->options.status_socket);
		write[n++] = dirname(socket_dir);
	} else {
		write[n++] = p->run_dir;
	}
	if (!p->options.rules)
		write[n++] = p->options.state_dir;
	if (p->also_writes)
		write[n++] = p->also_writes;
	err = capabilities_give_up(p->options.rules ? p->options.rules : p->bundle_path, write);
	if (!err && LIMIT_SYSCALLS) {
		what = "system calls";
		err = syscalls_limit(test && !strcmp(test, "kill"));
	}
	if (!err)
		return;
	p->sandbox = "incomplete";
	log_event(LOG_WARN, "sandbox.incomplete", LOGF_STR("what", what),
		  LOGF_STR("error", strerror(-err)),
		  LOGF_STR("hint", "the edge serves with more rights than it needs"));
}

/* No directory for it, and none is to be had. */
static bool lock_can_miss(const struct edge_role *role, int err)
{
	return role->lock_optional && geteuid() &&
	       (err == -EACCES || err == -EPERM || err == -EROFS || err == -ENOENT);
}

static int take_lock(struct program *p, const struct edge_role *role)
{
	pid_t holder;

	p->lock_fd = instance_run_dir(p->options.run_dir, p->run_dir);
	if (!p->lock_fd)
		p->lock_fd = instance_lock(p->run_dir, p->options.instance, &holder);
	if (p->lock_fd >= 0)
		return 0;
	if (lock_can_miss(role, p->lock_fd)) {
		log_event(LOG_WARN, "edge.no_run_dir", LOGF_STR("dir", p->run_dir),
			  LOGF_STR("error", strerror(-p->lock_fd)),
			  LOGF_STR("hint",
				   "the verbs of portunus-client do not work; see --run-dir"));
		return 0;
	}
	if (p->lock_fd == -EBUSY)
		fprintf(stderr,
			"error: another %s (pid %d) runs as instance '%s'; stop it, or "
			"give this one a name of its own with --instance\n",
			role->name, (int)holder,
			*p->options.instance ? p->options.instance : "default");
	else
		fprintf(stderr, "error: lock in %s: %s; see --run-dir\n", p->run_dir,
			strerror(-p->lock_fd));
	return p->lock_fd;
}

static void log_started(const struct program *p)
{
	log_event(LOG_INFO, "edge.started", LOGF_STR("version", PORTUNUS_VERSION),
		  LOGF_UINT("workers", p->n_workers),
		  LOGF_STR("accounting", account_mode_text(p->account)),
		  LOGF_STR("reason", account_reason(p->account)),
		  LOGF_STR("balance", selector_by_load(&p->selector) ? "load" : "hash"),
		  LOGF_STR("relay", p->workers[0].config.no_splice ? "copy" : "splice"),
		  LOGF_UINT("rules", rule_table_size(p->table)),
		  LOGF_UINT("fd_limit", p->fd_limit));
}

static void end(struct program *p, const struct edge_role *role)
{
	if (role->ending)
		role->ending(role->arg);
	program_stop(p);
}

int edge_serve(struct program *p, const struct edge_role *role)
{
	char line[128];
	int status;

	if (!p->options.test_hooks)
		forget_test_variables();
	p->role = role;
	status = role->find_rules(p);
	if (status >= 0)
		return status;
	process_hold_signals();
	p->fd_limit = raise_fd_limit();
	p->flow_limits.idle_secs = FLOW_IDLE_SECS;
	p->flow_limits.max_flows = FLOWS_PER_RULE;
	p->no_sni_alert = p->options.no_sni_alert;
	if (take_lock(p, role) < 0)
		return 1;
	/* Before the first thread, for each has its own. */
	enter_sandbox(p);
	if (log_start() < 0) {
		fprintf(stderr, "error: no thread for the log\n");
		return 1;
	}
	if (program_start(p) < 0) {
		fprintf(stderr, "error: could not start (see the log lines above)\n");
		end(p, role);
		return 1;
	}
	log_started(p);
	status = role->begun ? role->begun(p, role->arg) : -1;
	if (status < 0) {
		notify_ready(program_status_line(p, line, sizeof(line)));
		event_base_dispatch(p->base);
		status = 0;
	}
	end(p, role);
	log_event(LOG_INFO, "edge.stopped");
	return status;
}
