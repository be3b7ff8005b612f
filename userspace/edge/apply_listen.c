// SPDX-License-Identifier: MIT
/* A rule's ports: opened on the main thread, served by the workers, retried when they are taken. */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "edge/apply_jobs.h"
#include "edge/apply_private.h"
#include "edge/listener.h"
#include "edge/worker.h"
#include "lib/log.h"

#define RETRY_MAX_SECS 30

static const char *bind_reason(int err)
{
	switch (-err) {
	case EADDRINUSE:
		return "port_in_use";
	case EACCES:
	case EPERM:
		return "permission_denied";
	}
	return "bind_failed";
}

static const char *bind_hint(int err)
{
	switch (-err) {
	case EADDRINUSE:
		return "another program listens there: `ss -ltnp` names it";
	case EACCES:
	case EPERM:
		return "ports below ip_unprivileged_port_start need CAP_NET_BIND_SERVICE";
	case EADDRNOTAVAIL:
		return "listen_address is no address of this host";
	case EMFILE:
	case ENFILE:
		return "raise RLIMIT_NOFILE (LimitNOFILE=)";
	}
	return "retried until it succeeds";
}

static void set_failed(struct rule_state *rs, int err)
{
	struct timeval in = {.tv_sec = rs->retry_secs};

	if (rs->status != RULE_FAILED || strcmp(rs->reason, bind_reason(err)))
		log_event(LOG_ERROR, "rule.failed", LOGF_UINT("rule", rs->id),
			  LOGF_UINT("port", rs->service->rule->listen_port),
			  LOGF_STR("reason", bind_reason(err)), LOGF_STR("error", strerror(-err)),
			  LOGF_STR("hint", bind_hint(err)));
	rs->status = RULE_FAILED;
	snprintf(rs->reason, sizeof(rs->reason), "%s", bind_reason(err));
	event_add(rs->retry, &in);
	rs->retry_secs = rs->retry_secs * 2 > RETRY_MAX_SECS ? RETRY_MAX_SECS : rs->retry_secs * 2;
}

void apply_start_listening(struct rule_state *rs)
{
	struct edge *e = rs->edge;
	unsigned n = e->one_socket ? 1 : e->config.n_workers;
	uint64_t expected = rs->service->target[rs->service->order[0]]->slot;
	int fds[WORKERS_MAX], err;

	if (e->stopped)
		return;
	err = listener_bind(rs->service->rule, e->config.account, rs->unassigned_slot, expected,
			    fds, n);
	if (err) {
		set_failed(rs, err);
		return;
	}
	rs->status = RULE_ACTIVE;
	rs->reason[0] = '\0';
	rs->retry_secs = 1;
	event_del(rs->retry);
	rs->n_listeners = (uint8_t)n;
	rs->worker = (uint8_t)(e->next_worker++ % e->config.n_workers);
	for (unsigned i = 0; i < n; i++) {
		unsigned w = n == 1 ? rs->worker : i;

		job_listen(&e->config.workers[w], &rs->listener[w], fds[i],
			   service_ref(rs->service), expected);
	}
	log_event(LOG_INFO, "rule.activated", LOGF_UINT("rule", rs->id),
		  LOGF_UINT("port", rs->service->rule->listen_port),
		  LOGF_UINT("targets", rs->service->n));
}

void apply_stop_listening(struct rule_state *rs)
{
	struct edge *e = rs->edge;

	for (unsigned i = 0; i < rs->n_listeners; i++) {
		unsigned w = rs->n_listeners == 1 ? rs->worker : i;

		job_unlisten(&e->config.workers[w], &rs->listener[w]);
	}
	rs->n_listeners = 0;
	event_del(rs->retry);
}

void apply_retry(evutil_socket_t fd, short what, void *arg)
{
	struct rule_state *rs = arg;

	apply_start_listening(rs);
	if (rs->status == RULE_ACTIVE)
		rs->edge->config.rules_changed(rs->edge->config.arg, rs);
}

static void retry_now(struct rule_state *rs, void *arg)
{
	if (rs->status != RULE_FAILED)
		return;
	rs->retry_secs = 1;
	apply_retry(-1, 0, rs);
}

void edge_retry_binds(struct edge *e)
{
	edge_each(e, retry_now, NULL);
}
