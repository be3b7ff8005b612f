// SPDX-License-Identifier: MIT
/* A rule's ports: opened on the main thread, served by the workers, changed, retried when they are taken. */
#include "edge/rules/ports.h"

#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "edge/rules/jobs.h"
#include "edge/rules/table.h"
#include "edge/target/source.h"
#include "edge/target/hops.h"
#include "edge/worker/bind.h"
#include "edge/worker/heard.h"
#include "edge/worker/steer.h"
#include "edge/worker/worker.h"
#include "lib/base/log.h"
#include "lib/rule/listen.h"

#define RETRY_MAX_SECS 30

const char *bind_reason(int err)
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

const char *bind_hint(int err)
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

/* What went wrong as the edge says it everywhere; of a range with the port. */
static void say_reason(char *out, size_t size, const struct rule *rule, int err, uint16_t port)
{
	if (rule_is_range(rule))
		snprintf(out, size, "%s:%u", bind_reason(err), port);
	else
		snprintf(out, size, "%s", bind_reason(err));
}

/* @error: what the kernel said, or NULL. */
static void set_failed(struct rule_state *rs, uint16_t port, const char *reason, const char *error,
		       const char *hint)
{
	struct timeval in = {.tv_sec = rs->retry_secs};

	if (rs->status != RULE_FAILED || strcmp(rs->reason, reason))
		log_event(LOG_ERROR, "rule.failed", LOGF_UINT("rule", rs->id),
			  LOGF_UINT("port", port), LOGF_STR("reason", reason),
			  LOGF_STR("error", error), LOGF_STR("hint", hint));
	rs->status = RULE_FAILED;
	snprintf(rs->reason, sizeof(rs->reason), "%s", reason);
	event_add(rs->retry, &in);
	rs->retry_secs = rs->retry_secs * 2 > RETRY_MAX_SECS ? RETRY_MAX_SECS : rs->retry_secs * 2;
}

/* Once for all sockets of the rule. */
static void say_shortcomings(const struct rule_state *rs, const struct sockets *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->all[i].tag_error)
			continue;
		log_event(LOG_WARN, "accounting.listener_untagged", LOGF_UINT("rule", rs->id),
			  LOGF_UINT("port", s->all[i].port),
			  LOGF_STR("error", strerror(-s->all[i].tag_error)),
			  LOGF_STR("hint", "what its clients get is not counted (see `untagged`)"));
		break;
	}
	if (s->n && s->all->select_error)
		log_event(LOG_WARN, "listener.by_hash", LOGF_UINT("rule", rs->id),
			  LOGF_UINT("port", s->all->port),
			  LOGF_STR("error", strerror(-s->all->select_error)));
}

static struct bind_want want_of(const struct rule_state *rs, const struct rule *rule)
{
	const struct rule_table *t = rs->table;

	return (struct bind_want){
		.rule = rule,
		.account = t->config.account,
		.unassigned_slot = rs->unassigned_slot,
		.expected_slot = rs->service->target[rs->service->order[0]]->slot,
		.selector = t->config.workers[0].config.selector,
	};
}

/* Connections of this edge to these ports come back to it. Those that have a socket are counted with that. */
static void count_listening(const struct rule_state *rs, struct span ports, int more)
{
	const struct worker_config *w = &rs->table->config.workers[0].config;
	for (unsigned port = ports.first; w->hops && port <= ports.last; port++)
		hops_listen(w->hops, (uint16_t)port, more);
}

static unsigned per_port(const struct rule_table *t)
{
	return t->one_socket ? 1 : t->config.n_workers;
}

/* A socket for each worker at each port would eat more than an eighth of the descriptors: one does. */
static unsigned per_port_of(const struct rule_table *t, struct span ports)
{
	uint64_t all = (uint64_t)span_len(ports) * t->config.n_workers;

	return all > t->config.fd_limit / 8 && span_len(ports) > 1 ? 1 : per_port(t);
}

/*
 * Whether another rule here has one of the ports. bind() would not say so: of a range only one port is
 * bound. Without ranges it does, and nobody is asked.
 */
static int check_others(const struct rule_state *rs, const struct rule *rule, uint16_t *port)
{
	const struct rule_table *t = rs->table;

	if (!rule_is_range(rule) && !steer_rules(t->steer))
		return 0;
	for (size_t i = 0; i < t->n; i++) {
		const struct rule_state *other = t->all[i];

		if (other == rs || !other->n_listeners ||
		    !span_meet(other->served, rule_span(rule)) ||
		    !rule_listens_overlap(other->service->rule, rule))
			continue;
		*port = rule_listens_common(other->service->rule, rule);
		return -EADDRINUSE;
	}
	return 0;
}

/* A socket that is bound to an interface is not found by the program, which does not look at that. */
static bool can_be_steered(const struct rule *rule)
{
	return rule_is_range(rule) && rule->protocol == RULE_TCP && !rule->listen_interface;
}

/* A place for the rule, whose anchor's sockets are @fd's; -1: each port needs its own. */
static int take_place(struct rule_state *rs, const struct rule *rule, int fd)
{
	struct steer *s = rs->table->steer;
	int place = steer_take(s, rule, fd);

	if (place >= 0 && !steer_fits(s, place, rule_span(rule))) {
		steer_release(s, place);
		place = -1;
	}
	if (place < 0)
		log_event(LOG_WARN, "range.by_sockets", LOGF_UINT("rule", rs->id),
			  LOGF_STR("reason", steer_reason(s)),
			  LOGF_STR("hint", "each port of the range takes a descriptor"));
	return place < 0 ? -1 : place;
}

/*
 * The sockets that all of @ports share, bound to the first one that can be had: another may be the local
 * port of a connection that this host has made.
 */
static int open_anchor(struct rule_state *rs, const struct bind_want *want, struct span ports,
		       unsigned each, struct sockets *s)
{
	unsigned fd_limit = rs->table->config.fd_limit;
	struct heard heard = {.known = false};
	int err;

	for (unsigned port = ports.first;; port++) {
		struct span one = {(uint16_t)port, (uint16_t)port};

		err = sockets_open(s, want, one, NULL, each, fd_limit);
		if (err != -EADDRINUSE || port == ports.last || heard_at(&heard, (uint16_t)port))
			return err;
	}
}

/* The sockets of one port, for all. -EOPNOTSUPP: each port needs its own. */
static int open_steered(struct rule_state *rs, const struct bind_want *want, struct sockets *s)
{
	struct span ports = rule_span(want->rule);
	struct rule_table *t = rs->table;
	int err = open_anchor(rs, want, ports, per_port(t), s);

	if (!err) {
		err = sockets_probe(s, want->rule, ports, NULL, s->all->port);
		rs->place = err ? -1 : take_place(rs, want->rule, s->all->fd);
		if (!err && rs->place < 0)
			err = -EOPNOTSUPP;
	}
	if (err)
		sockets_drop(s);
	else
		steer_ports(t->steer, rs->place, ports, s->all->port);
	return err;
}

static int open_all(struct rule_state *rs, struct sockets *s)
{
	const struct rule *rule = rs->service->rule;
	struct bind_want want = want_of(rs, rule);
	struct span ports = rule_span(rule);
	struct rule_table *t = rs->table;
	int err;

	s->port = rule->listen_port;
	err = check_others(rs, rule, &s->port);
	if (err)
		return err;
	if (can_be_steered(rule)) {
		err = open_steered(rs, &want, s);
		if (err != -EOPNOTSUPP)
			return err;
	}
	return sockets_open(s, &want, ports, NULL, per_port_of(t, ports), t->config.fd_limit);
}

static void log_activated(const struct rule_state *rs)
{
	const struct rule *rule = rs->service->rule;

	log_event(LOG_INFO, "rule.activated", LOGF_UINT("rule", rs->id),
		  LOGF_UINT("port", rule->listen_port), LOGF_UINT("port_end", rs->served.last),
		  LOGF_STR("by", rs->place >= 0 ? "sk_lookup" : "sockets"),
		  LOGF_UINT("targets", rs->service->n));
}

/* The number of the interface that the rule listens at; 0: none is named, or it is gone. */
static unsigned interface_of(const struct rule_state *rs)
{
	const char *name = rs->service->rule->listen_interface;

	return name ? if_nametoindex(name) : 0;
}

void ports_open(struct rule_state *rs)
{
	struct rule_table *t = rs->table;
	const struct rule *rule = rs->service->rule;
	char bind_said[sizeof(rs->reason)];
	const char *reason, *hint = NULL;
	struct sockets s = {0};
	int err;

	if (t->stopped)
		return;
	rs->place = -1;
	reason = source_lacking(rule, &hint);
	if (reason) {
		set_failed(rs, rule->listen_port, reason, NULL, hint);
		return;
	}
	err = open_all(rs, &s);
	if (err) {
		say_reason(bind_said, sizeof(bind_said), rule, err, s.port);
		set_failed(rs, s.port, bind_said, strerror(-err), bind_hint(err));
		return;
	}
	rs->status = RULE_ACTIVE;
	rs->reason[0] = '\0';
	rs->retry_secs = 1;
	event_del(rs->retry);
	rs->n_listeners = (uint8_t)s.each;
	rs->listen_ifindex = interface_of(rs);
	rs->worker = (uint8_t)(t->next_worker++ % t->config.n_workers);
	rs->served = rule_span(rs->service->rule);
	rs->anchor = s.all->port;
	rs->anchor_fd = s.all->fd;
	if (rs->place >= 0)
		count_listening(rs, rs->served, 1);
	say_shortcomings(rs, &s);
	sockets_hand_over(&s, rs);
	log_activated(rs);
}

void ports_close(struct rule_state *rs)
{
	struct rule_table *t = rs->table;

	event_del(rs->retry);
	if (!rs->n_listeners)
		return;
	if (rs->place >= 0) {
		steer_release(t->steer, rs->place);
		count_listening(rs, rs->served, -1);
	}
	rs->place = -1;
	for (unsigned w = 0; w < t->config.n_workers; w++)
		job_unlisten(&t->config.workers[w], &rs->endpoint[w]);
	rs->n_listeners = 0;
}

/* ---- change ---- */

bool ports_can_change(const struct rule_state *rs, const struct rule *next)
{
	return rs->n_listeners && rule_listens_near(rs->service->rule, next);
}

/* What is steered stays so, and a single port can begin to be. */
static int prepare_steered(struct rule_state *rs, const struct bind_want *want,
			   struct ports_change *c)
{
	struct rule_table *t = rs->table;
	int err = 0;

	if (!span_has(c->is, rs->anchor)) {
		err = open_anchor(rs, want, c->is, rs->n_listeners, &c->opened);
		if (!err) {
			c->anchor = c->opened.all->port;
			c->anchor_fd = c->opened.all->fd;
		}
	}
	if (!err)
		err = sockets_probe(&c->opened, want->rule, c->is, &rs->served, c->anchor);
	if (!err && c->place < 0) {
		c->place = take_place(rs, want->rule, c->anchor_fd);
		err = c->place < 0 ? -EOPNOTSUPP : 0;
	} else if (!err && !steer_fits(t->steer, c->place, c->is)) {
		err = -ENOSPC;
	}
	if (err)
		sockets_drop(&c->opened);
	return err;
}

static int prepare(struct rule_state *rs, const struct rule *next, struct ports_change *c)
{
	struct bind_want want = want_of(rs, next);
	struct rule_table *t = rs->table;
	int err = check_others(rs, next, &c->opened.port);

	if (err)
		return err;
	if (rs->place >= 0 || (can_be_steered(next) && span_len(rs->served) == 1)) {
		err = prepare_steered(rs, &want, c);
		if (err != -EOPNOTSUPP)
			return err;
	}
	return sockets_open(&c->opened, &want, c->is, &rs->served, per_port_of(t, c->is),
			    t->config.fd_limit);
}

int ports_prepare(struct rule_state *rs, const struct rule *next, struct ports_change *c)
{
	int err;

	*c = (struct ports_change){.is = rule_span(next),
				   .place = rs->place,
				   .anchor = rs->anchor,
				   .anchor_fd = rs->anchor_fd,
				   .opened.port = next->listen_port};
	err = prepare(rs, next, c);
	if (!err)
		return 0;
	say_reason(rs->refused, sizeof(rs->refused), next, err, c->opened.port);
	log_event(LOG_ERROR, "rule.change_failed", LOGF_UINT("rule", rs->id),
		  LOGF_UINT("port", c->opened.port), LOGF_STR("reason", rs->refused),
		  LOGF_STR("error", strerror(-err)),
		  LOGF_STR("hint", "the rule goes on as it was"));
	return err;
}

static void commit_steered(struct rule_state *rs, const struct ports_change *c)
{
	struct steer *s = rs->table->steer;
	struct span was = rs->served;

	/* Before a client comes by another port than the first one every worker has to ask by which. */
	workers_barrier(rs->table->config.workers, rs->table->config.n_workers);
	if (rs->place >= 0)
		count_listening(rs, was, -1);
	if (c->anchor != rs->anchor)
		steer_socket(s, c->place, c->anchor_fd);
	rs->place = c->place;
	if (span_len(c->is) == 1) {
		steer_release(s, c->place);
		rs->place = -1;
		return;
	}
	count_listening(rs, c->is, 1);
	steer_ports(s, c->place, c->is, c->anchor);
	if (was.first < c->is.first)
		steer_clear(s, c->place, (struct span){was.first, (uint16_t)(c->is.first - 1)});
	if (was.last > c->is.last)
		steer_clear(s, c->place, (struct span){(uint16_t)(c->is.last + 1), was.last});
}

void ports_commit(struct rule_state *rs, struct ports_change *c)
{
	struct rule_table *t = rs->table;

	say_shortcomings(rs, &c->opened);
	sockets_hand_over(&c->opened, rs);
	if (c->place >= 0)
		commit_steered(rs, c);
	for (unsigned w = 0; w < t->config.n_workers; w++)
		job_trim(&t->config.workers[w], &rs->endpoint[w], c->is);
	rs->served = c->is;
	rs->anchor = c->anchor;
	rs->anchor_fd = c->anchor_fd;
	log_activated(rs);
}

/* ---- retries ---- */

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct rule_state *rs = arg;

	ports_open(rs);
	if (rs->status == RULE_ACTIVE)
		rs->table->config.rules_changed(rs->table->config.arg, rs);
}

int ports_init(struct rule_state *rs)
{
	rs->retry_secs = 1;
	rs->place = -1;
	rs->retry = evtimer_new(rs->table->config.base, on_retry, rs);
	return rs->retry ? 0 : -ENOMEM;
}

/* Its sockets hear nothing any more: the interface is gone, or there is another one of its name. */
static bool lost_interface(const struct rule_state *rs)
{
	return rs->n_listeners && rs->listen_ifindex && rs->listen_ifindex != interface_of(rs);
}

static void reopen(struct rule_state *rs)
{
	struct rule_table *t = rs->table;

	ports_close(rs);
	workers_barrier(t->config.workers, t->config.n_workers);
	ports_open(rs);
	t->config.rules_changed(t->config.arg, rs);
}

static void retry_now(struct rule_state *rs, void *arg)
{
	if (lost_interface(rs))
		reopen(rs);
	if (rs->status != RULE_FAILED || rs->group)
		return;
	rs->retry_secs = 1;
	on_retry(-1, 0, rs);
}

void ports_retry(struct rule_table *t)
{
	rule_table_each(t, retry_now, NULL);
}
