// SPDX-License-Identifier: MIT
/* Ports that several rules share: which server name leads to which of them, and the sockets they have together. */
#include "edge/rules/sni.h"

#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account/account.h"
#include "edge/conn/sni_table.h"
#include "edge/rules/jobs.h"
#include "edge/rules/ports.h"
#include "edge/rules/sni_members.h"
#include "edge/rules/table.h"
#include "edge/worker/bind.h"
#include "edge/worker/worker.h"
#include "lib/base/log.h"
#include "lib/rule/listen.h"
#include "lib/rule/span.h"

#define RETRY_MAX_SECS 30
/* Records of a group are those of a rule with a number that no rule has. */
#define GROUP_ID (1ull << 63)

struct sni_group {
	LIST_ENTRY(sni_group) entry;
	struct rule_table *table;
	struct rule *at;	    /* of any of its rules: where it listens */
	struct sni_members members; /* the first to come has its pattern */
	struct sni_port *port;
	struct sni_table *routes; /* as the workers have them; NULL: not yet */
	uint64_t version;	  /* of these */
	struct listener_tag tag;
	struct event *retry; /* of a bind that failed */
	unsigned retry_secs;
	char reason[32];  /* of that; "": it listens, or is about to */
	bool changed;	  /* since sni_settle() */
	bool closing;	  /* the workers were asked to close */
	unsigned ifindex; /* of listen_interface, when the sockets were opened */
	int fd;		  /* of one of its sockets, a worker's */
	uint8_t n_listeners;
	uint8_t worker;		    /* of the only listener, where there is one */
	struct endpoint endpoint[]; /* by worker; each touched by its worker's thread alone */
};

static unsigned worker_of(unsigned i, unsigned n, unsigned only)
{
	return n == 1 ? only : i;
}

/* ---- members ---- */

static struct sni_group *find_group(const struct rule_table *t, const struct rule *rule)
{
	struct sni_group *g;

	LIST_FOREACH (g, &t->groups, entry)
		if (!g->closing && g->at->listen_port == rule->listen_port &&
		    rule_listens_alike(g->at, rule))
			return g;
	return NULL;
}

static void join(struct sni_group *g, struct rule_state *rs)
{
	rs->group = g;
	TAILQ_INSERT_TAIL(&g->members, rs, in_group);
	g->changed = true;
	event_del(rs->retry);
}

void sni_changed(struct rule_state *rs)
{
	if (rs->group)
		rs->group->changed = true;
}

void sni_leave(struct rule_state *rs)
{
	struct sni_group *g = rs->group;

	if (!g)
		return;
	TAILQ_REMOVE(&g->members, rs, in_group);
	rs->group = NULL;
	rs->routed = false;
	g->changed = true;
}

/* The group takes the sockets of a rule that had the place for itself. */
static void adopt(struct sni_group *g, struct rule_state *rs)
{
	struct worker *workers = g->table->config.workers;

	rs->routed = rs->n_listeners;
	if (rs->n_listeners) {
		g->n_listeners = rs->n_listeners;
		g->worker = rs->worker;
		g->ifindex = rs->listen_ifindex;
		g->fd = rs->anchor_fd;
		for (unsigned i = 0; i < g->n_listeners; i++) {
			unsigned w = worker_of(i, g->n_listeners, g->worker);

			job_move(&workers[w], &g->endpoint[w], &rs->endpoint[w]);
		}
		rs->n_listeners = 0;
	}
	join(g, rs);
}

static void on_retry(evutil_socket_t fd, short what, void *arg);

static void group_free(struct sni_group *g)
{
	LIST_REMOVE(g, entry);
	if (g->retry)
		event_free(g->retry);
	sni_table_unref(g->routes);
	sni_port_unref(g->port);
	rule_free(g->at);
	free(g);
}

/* Where it listens, without what is its own. */
static struct rule *place_of(const struct rule *rule)
{
	struct rule *r = rule_dup(rule);

	if (!r)
		return NULL;
	free(r->congestion_control);
	r->congestion_control = NULL;
	return r;
}

static struct sni_group *group_new(struct rule_table *t, const struct rule *rule)
{
	struct sni_group *g = calloc(1, sizeof(*g) + t->config.n_workers * sizeof(g->endpoint[0]));
	struct account_key key = {.listen_port = rule->listen_port};
	int err;

	if (!g)
		return NULL;
	g->table = t;
	LIST_INSERT_HEAD(&t->groups, g, entry);
	TAILQ_INIT(&g->members);
	g->retry_secs = 1;
	g->at = place_of(rule);
	g->port = sni_port_new(rule->listen_port, t->config.n_workers);
	g->retry = evtimer_new(t->config.base, on_retry, g);
	if (!g->at || !g->port || !g->retry) {
		group_free(g);
		return NULL;
	}
	/* What a client sends before its rule is known belongs to none. */
	g->tag.rule_id = key.rule_id = GROUP_ID | ++t->groups_made;
	err = account_slot_get(t->config.account, &key, &g->tag.unassigned_slot);
	if (err)
		log_event(LOG_WARN, "accounting.slot_unavailable",
			  LOGF_UINT("port", rule->listen_port), LOGF_STR("record", "unassigned"),
			  LOGF_STR("error", strerror(-err)));
	log_event(LOG_INFO, "tls.sni_listener.started", LOGF_UINT("port", rule->listen_port));
	return g;
}

bool sni_enter(struct rule_state *rs)
{
	const struct rule *rule = rs->service->rule;
	struct rule_table *t = rs->table;
	struct sni_group *g = rs->group;

	if (g && rule_listens_alike(g->at, rule)) {
		/* Who says again what is in force already changes nothing; what has failed is tried again. */
		g->changed |= rs->status == RULE_FAILED;
		return true;
	}
	sni_leave(rs);
	if (rule->protocol != RULE_TCP)
		return false;
	g = find_group(t, rule);
	if (g) {
		join(g, rs);
		return true;
	}
	g = rule->sni_pattern ? group_new(t, rule) : NULL;
	if (!g)
		return false;
	/* Whoever has the place, or wants it, is its fallback now. */
	for (size_t i = 0; i < t->n; i++)
		if (t->all[i] != rs && !t->all[i]->group &&
		    t->all[i]->service->rule->listen_port == rule->listen_port &&
		    rule_listens_alike(t->all[i]->service->rule, rule))
			adopt(g, t->all[i]);
	adopt(g, rs);
	return true;
}

/* ---- states ---- */

/* Whether that is news. */
static bool set_state(struct rule_state *rs, const char *reason)
{
	const struct rule *rule = rs->service->rule;

	if (reason ? rs->status == RULE_FAILED && !strcmp(rs->reason, reason) : rs->routed)
		return false;
	rs->routed = !reason;
	rs->status = reason ? RULE_FAILED : RULE_ACTIVE;
	snprintf(rs->reason, sizeof(rs->reason), "%s", reason ? reason : "");
	if (reason)
		log_event(LOG_ERROR, "rule.failed", LOGF_UINT("rule", rs->id),
			  LOGF_UINT("port", rule->listen_port),
			  LOGF_STR("sni_pattern", rule->sni_pattern), LOGF_STR("reason", reason));
	else
		log_event(LOG_INFO, "rule.activated", LOGF_UINT("rule", rs->id),
			  LOGF_UINT("port", rule->listen_port),
			  LOGF_STR("sni_pattern", rule->sni_pattern),
			  LOGF_UINT("targets", rs->service->n));
	return true;
}

static void tell(struct rule_state *rs, const char *reason, const struct rule_state *asker)
{
	if (set_state(rs, reason) && rs != asker)
		rs->table->config.rules_changed(rs->table->config.arg, rs);
}

/* ---- sockets ---- */

/* What this host lacks may come. */
static void retry_later(struct sni_group *g)
{
	struct timeval in = {.tv_sec = g->retry_secs};

	event_add(g->retry, &in);
	g->retry_secs = g->retry_secs * 2 > RETRY_MAX_SECS ? RETRY_MAX_SECS : g->retry_secs * 2;
}

/* The number of the interface that it listens at; 0: none is named, or it is gone. */
static unsigned interface_of(const struct sni_group *g)
{
	return g->at->listen_interface ? if_nametoindex(g->at->listen_interface) : 0;
}

static void open_sockets(struct sni_group *g)
{
	struct rule_table *t = g->table;
	unsigned n = t->one_socket ? 1 : t->config.n_workers;
	struct service *any = sni_table_any(g->routes);
	struct listening opened[WORKERS_MAX];
	struct bind_want want = {.rule = g->at,
				 .account = t->config.account,
				 .unassigned_slot = g->tag.unassigned_slot,
				 .selector = t->config.workers[0].config.selector};
	int err = listener_bind(&want, g->at->listen_port, opened, n);

	snprintf(g->reason, sizeof(g->reason), "%s", err ? bind_reason(err) : "");
	if (err) {
		log_event(LOG_WARN, "tls.sni_listener.failed",
			  LOGF_UINT("port", g->at->listen_port), LOGF_STR("error", strerror(-err)),
			  LOGF_STR("hint", bind_hint(err)));
		retry_later(g);
		return;
	}
	g->retry_secs = 1;
	g->n_listeners = (uint8_t)n;
	g->fd = opened->fd;
	g->ifindex = interface_of(g);
	g->worker = (uint8_t)(t->next_worker++ % t->config.n_workers);
	for (unsigned i = 0; i < n; i++) {
		unsigned w = worker_of(i, n, g->worker);

		job_listen(&t->config.workers[w], &g->endpoint[w], &opened[i], service_ref(any),
			   sni_table_ref(g->routes));
	}
}

static void close_sockets(struct sni_group *g)
{
	for (unsigned i = 0; i < g->n_listeners; i++) {
		unsigned w = worker_of(i, g->n_listeners, g->worker);

		job_unlisten(&g->table->config.workers[w], &g->endpoint[w]);
	}
	g->n_listeners = 0;
	event_del(g->retry);
}

/* The workers learn of the table. */
static void give_routes(struct sni_group *g)
{
	struct service *any = sni_table_any(g->routes);

	for (unsigned i = 0; i < g->n_listeners; i++) {
		unsigned w = worker_of(i, g->n_listeners, g->worker);

		job_set_sni(&g->table->config.workers[w], &g->endpoint[w], service_ref(any),
			    sni_table_ref(g->routes), &g->tag);
	}
}

/* ---- changes ---- */

static bool set_routes(struct sni_group *g, const struct sni_candidate *members, size_t n)
{
	struct service **services = calloc(n, sizeof(*services));
	struct sni_table *routes = NULL;

	for (size_t i = 0; services && i < n; i++)
		services[i] = members[i].rs->service;
	if (services)
		routes = sni_table_new(g->port, services, n);
	free(services);
	if (!routes)
		return false;
	sni_table_unref(g->routes);
	g->routes = routes;
	g->version++;
	return true;
}

/* The members' states, by whether the port is open and who is served there. */
static void tell_members(struct sni_group *g, const struct sni_candidate *members, size_t n,
			 size_t served, const struct rule_state *asker)
{
	const char *failed = *g->reason ? g->reason : NULL;

	for (size_t i = 0; i < n; i++)
		tell(members[i].rs, i < served ? failed : members[i].why, asker);
}

/* The last pattern has gone: the fallback has the place for itself, and its sockets. */
static void dissolve(struct sni_group *g, const struct sni_candidate *members, size_t n)
{
	struct rule_state *heir = members[0].rs;
	struct service *s = heir->service;
	struct listener_tag tag = {.rule_id = heir->id,
				   .unassigned_slot = heir->unassigned_slot,
				   .expected_slot = s->target[s->order[0]]->slot};

	for (size_t i = 0; i < n; i++)
		sni_leave(members[i].rs);
	heir->n_listeners = g->n_listeners;
	heir->worker = g->worker;
	heir->listen_ifindex = g->ifindex;
	heir->served = rule_span(s->rule);
	heir->anchor = s->rule->listen_port;
	heir->anchor_fd = g->fd;
	for (unsigned i = 0; i < g->n_listeners; i++) {
		unsigned w = worker_of(i, g->n_listeners, g->worker);
		struct worker *worker = &g->table->config.workers[w];

		job_move(worker, &heir->endpoint[w], &g->endpoint[w]);
		job_set_sni(worker, &heir->endpoint[w], service_ref(s), NULL, &tag);
	}
	g->n_listeners = 0;
	g->closing = true;
	event_del(g->retry);
	/* Without sockets it tries for itself; the others fail as they would have without a pattern. */
	for (size_t i = heir->n_listeners ? 1 : 0; i < n; i++)
		ports_open(members[i].rs);
}

static void put_in_force(struct sni_group *g, const struct rule_state *asker)
{
	size_t n, served;
	struct sni_candidate *members = sni_members_sort(&g->members, &n, &served);
	bool named = members && sni_has_patterns(members, n);

	if (!members || (named && served && !set_routes(g, members, served))) {
		log_event(LOG_ERROR, "tls.sni_routes_lost", LOGF_UINT("port", g->at->listen_port),
			  LOGF_STR("error", "out of memory"),
			  LOGF_STR("hint", "the former routes stay in force"));
	} else if (!n) {
		close_sockets(g);
		g->closing = true;
	} else if (!named) {
		dissolve(g, members, n);
	} else {
		event_del(g->retry);
		if (sni_lacks(members, n))
			retry_later(g);
		/* When none can be served nobody is let in, as by a rule with a port of its own. */
		if (!served)
			close_sockets(g);
		else if (g->n_listeners)
			give_routes(g);
		else if (!g->table->stopped)
			open_sockets(g);
		tell_members(g, members, n, served, asker);
	}
	free(members);
}

/* Those that the workers have let go. */
static void free_closed(struct rule_table *t)
{
	struct sni_group *g, *next;

	for (g = LIST_FIRST(&t->groups); g; g = next) {
		next = LIST_NEXT(g, entry);
		if (!g->closing)
			continue;
		log_event(LOG_INFO, "tls.sni_listener.stopped",
			  LOGF_UINT("port", g->at->listen_port));
		account_slots_drop(t->config.account, g->tag.rule_id);
		group_free(g);
	}
}

bool sni_close_unwanted(struct rule_table *t, struct rule *const *rules, size_t n)
{
	struct sni_group *g;
	bool wait = false;

	LIST_FOREACH (g, &t->groups, entry) {
		bool wanted = !TAILQ_EMPTY(&g->members);

		for (size_t i = 0; i < n && !wanted; i++)
			wanted = rules[i]->listen_port == g->at->listen_port &&
				 rule_listens_alike(rules[i], g->at);
		if (wanted)
			continue;
		close_sockets(g);
		g->closing = wait = true;
	}
	return wait;
}

void sni_settle(struct rule_table *t, const struct rule_state *asker)
{
	struct sni_group *g;
	bool wait = false;

	LIST_FOREACH (g, &t->groups, entry) {
		wait |= g->changed || g->closing;
		if (g->changed && !g->closing)
			put_in_force(g, asker);
		g->changed = false;
	}
	if (!wait)
		return;
	workers_barrier(t->config.workers, t->config.n_workers);
	free_closed(t);
}

/* ---- the rest ---- */

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct sni_group *g = arg;

	g->changed = true;
	sni_settle(g->table, NULL);
}

void sni_retry(struct rule_table *t)
{
	struct sni_group *g;

	LIST_FOREACH (g, &t->groups, entry) {
		bool deaf = g->n_listeners && g->ifindex && g->ifindex != interface_of(g);

		/* The interface is gone, or there is another one of its name. */
		if (deaf) {
			close_sockets(g);
			workers_barrier(t->config.workers, t->config.n_workers);
		}
		if (deaf || *g->reason || evtimer_pending(g->retry, NULL)) {
			g->retry_secs = 1;
			g->changed = true;
		}
	}
	sni_settle(t, NULL);
}

void sni_stop_listening(struct rule_table *t)
{
	struct sni_group *g;

	LIST_FOREACH (g, &t->groups, entry)
		close_sockets(g);
}

void sni_forget_all(struct rule_table *t)
{
	while (!LIST_EMPTY(&t->groups))
		group_free(LIST_FIRST(&t->groups));
}

/* ---- shown ---- */

static void show(const struct sni_group *g,
		 void (*visit)(const struct sni_group_view *v, void *arg), void *arg)
{
	size_t n, served = 0;
	struct sni_candidate *sorted = sni_members_sort(&g->members, &n, &served);
	struct sni_member *members = calloc(served + 1, sizeof(*members));
	struct sni_group_view v = {.port = g->at->listen_port,
				   .version = g->version,
				   .sums = sni_port_sum(g->port),
				   .members = members};

	for (; sorted && members && v.n < served; v.n++)
		members[v.n] = (struct sni_member){sorted[v.n].rs->id,
						   sorted[v.n].rs->service->rule->sni_pattern};
	if (members)
		visit(&v, arg);
	free(members);
	free(sorted);
}

void sni_each(const struct rule_table *t, void (*visit)(const struct sni_group_view *v, void *arg),
	      void *arg)
{
	const struct sni_group *g;

	LIST_FOREACH (g, &t->groups, entry)
		show(g, visit, arg);
}
