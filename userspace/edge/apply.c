// SPDX-License-Identifier: MIT
/* The table of rules: what changes between two sets, and how each change reaches the workers. */
#include "edge/apply.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account.h"
#include "edge/apply_jobs.h"
#include "edge/apply_private.h"
#include "edge/worker.h"
#include "lib/log.h"

/* ---- news from the workers ---- */

struct health_news {
	struct job job;
	struct edge *edge;
	struct target *target;
	enum health_state to;
};

static void on_health_news(struct job *job)
{
	struct health_news *news = (struct health_news *)job;
	struct edge *e = news->edge;
	struct rule_state *rs = NULL;

	if (!e->closing) {
		rs = edge_find(e, news->target->totals->rule_id);
		for (unsigned i = 0; i < e->config.n_workers; i++)
			job_health_changed(&e->config.workers[i]);
	}
	if (rs && rs->service->totals == news->target->totals)
		e->config.health_changed(e->config.arg, rs, news->target, news->to);
	target_unref(news->target);
	free(news);
}

static void on_target_changed(void *arg, struct target *t, enum health_state to)
{
	struct health_news *news = malloc(sizeof(*news));
	struct edge *e = arg;

	/* Without memory the state is right all the same; the next report shows it. */
	if (!news)
		return;
	news->job.run = on_health_news;
	news->edge = e;
	news->target = target_ref(t);
	news->to = to;
	mailbox_post(&e->mailbox, &news->job);
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	mailbox_run(arg);
}

struct edge *edge_new(const struct edge_config *config)
{
	struct edge *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->config = *config;
	e->watch = (struct target_watch){.changed = on_target_changed, .arg = e};
	if (mailbox_init(&e->mailbox) < 0)
		goto err;
	e->mail = event_new(config->base, e->mailbox.fd, EV_READ | EV_PERSIST, on_mail,
			    &e->mailbox);
	if (!e->mail || event_add(e->mail, NULL) < 0)
		goto err_mailbox;
	return e;

err_mailbox:
	if (e->mail)
		event_free(e->mail);
	mailbox_close(&e->mailbox);
err:
	free(e);
	return NULL;
}

/* ---- the table ---- */

struct rule_state *edge_find(struct edge *e, uint64_t rule_id)
{
	struct rule_state *rs = e->bucket[rule_id % BUCKETS];

	while (rs && rs->id != rule_id)
		rs = rs->next;
	return rs;
}

size_t edge_rules(const struct edge *e)
{
	return e->n;
}

static int by_id(const void *a, const void *b)
{
	const struct rule_state *x = *(struct rule_state *const *)a;
	const struct rule_state *y = *(struct rule_state *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* All states, by id; the caller frees. NULL for memory or none. */
static struct rule_state **all_states(struct edge *e)
{
	struct rule_state **all = e->n ? malloc(e->n * sizeof(struct rule_state *)) : NULL;
	size_t n = 0;

	for (unsigned b = 0; all && b < BUCKETS; b++)
		for (struct rule_state *rs = e->bucket[b]; rs; rs = rs->next)
			all[n++] = rs;
	if (all)
		qsort(all, n, sizeof(struct rule_state *), by_id);
	return all;
}

void edge_each(struct edge *e, void (*visit)(struct rule_state *rs, void *arg), void *arg)
{
	struct rule_state **all = all_states(e);
	size_t n = e->n;

	for (size_t i = 0; all && i < n; i++)
		visit(all[i], arg);
	free(all);
}

static void barrier(struct edge *e)
{
	workers_barrier(e->config.workers, e->config.n_workers);
}

/* ---- versions ---- */

/* Targets that @old had and the rule no longer has: they stay in its totals. */
static void retire_missing(struct rule_state *rs, const struct service *old)
{
	for (unsigned i = 0; i < old->n; i++) {
		struct target *t = old->target[i];
		bool kept = false;

		for (unsigned k = 0; k < rs->service->n; k++)
			kept |= rs->service->target[k] == t;
		if (kept)
			continue;
		/* What its last dials come to is no news of this rule any more. */
		atomic_store(&t->monitored, false);
		t->next = rs->retired;
		rs->retired = target_ref(t);
	}
}

static bool same_listen(const struct rule *a, const struct rule *b)
{
	const char *x = a->listen_address ? a->listen_address : "";
	const char *y = b->listen_address ? b->listen_address : "";

	return a->listen_port == b->listen_port && !strcmp(x, y);
}

/* Puts @s in force in place of the present version; workers learn of it, listeners stay. */
static void replace_service(struct rule_state *rs, struct service *s)
{
	struct service *old = rs->service;
	struct edge *e = rs->edge;

	rs->service = s;
	service_in_force(s);
	retire_missing(rs, old);
	for (unsigned i = 0; i < rs->n_listeners; i++) {
		unsigned w = rs->n_listeners == 1 ? rs->worker : i;

		job_set_service(&e->config.workers[w], &rs->listener[w], service_ref(s));
	}
	service_unref(old);
	log_event(LOG_INFO, "rule.updated", LOGF_UINT("rule", rs->id), LOGF_UINT("targets", s->n));
}

static struct rule_state *add_state(struct edge *e, const struct rule *rule)
{
	struct rule_state *rs =
		calloc(1, sizeof(*rs) + e->config.n_workers * sizeof(struct listener *));
	struct account_key key = {.rule_id = rule->id, .listen_port = rule->listen_port};

	if (!rs)
		return NULL;
	rs->edge = e;
	rs->id = rule->id;
	rs->retry_secs = 1;
	rs->retry = event_new(e->config.base, -1, 0, apply_retry, rs);
	rs->service = service_new(rule, NULL, e->config.account, &e->watch);
	if (!rs->retry || !rs->service) {
		if (rs->retry)
			event_free(rs->retry);
		service_unref(rs->service);
		free(rs);
		return NULL;
	}
	account_slot_get(e->config.account, &key, &rs->unassigned_slot);
	service_in_force(rs->service);
	rs->next = e->bucket[rs->id % BUCKETS];
	e->bucket[rs->id % BUCKETS] = rs;
	e->n++;
	return rs;
}

static void forget_retired(struct rule_state *rs)
{
	while (rs->retired) {
		struct target *t = rs->retired;

		rs->retired = t->next;
		target_unref(t);
	}
}

/* Takes a rule out of the table. Its listeners are closed already, and a barrier was passed. */
static void forget(struct rule_state *rs)
{
	struct edge *e = rs->edge;
	struct rule_state **at = &e->bucket[rs->id % BUCKETS];

	while (*at != rs)
		at = &(*at)->next;
	*at = rs->next;
	e->n--;
	event_free(rs->retry);
	/* Nobody can tag with its slots any more but connections that dial just now; the account
	 * keeps a record until no socket carries its slot. */
	account_slots_drop(e->config.account, rs->id);
	for (unsigned i = 0; i < rs->service->n; i++)
		atomic_store(&rs->service->target[i]->monitored, false);
	forget_retired(rs);
	service_unref(rs->service);
	free(rs);
}

static void remove_state(struct rule_state *rs)
{
	struct edge *e = rs->edge;

	log_event(LOG_INFO, "rule.removed", LOGF_UINT("rule", rs->id));
	cut_after_drain(&e->leaving, &e->config, totals_ref(rs->service->totals));
	forget(rs);
}

/*
 * The first half of a change: whatever gives up a port does so before anything takes one. Returns
 * whether a barrier is needed.
 */
static bool release_port(struct rule_state *rs, const struct rule *rule)
{
	bool had = rs->n_listeners;

	if (rule && same_listen(rs->service->rule, rule))
		return false;
	apply_stop_listening(rs);
	return had;
}

/* The second half; the port, if it changes, is free. @s is the new version, or NULL for no change. A
 * port that could not be bound is tried again at once: who sends a rule again may have made room. */
static void take_over(struct rule_state *rs, struct service *s)
{
	if (s)
		replace_service(rs, s);
	if (!rs->n_listeners)
		apply_start_listening(rs);
}

/* With one socket per worker for each port, sockets would eat more than a quarter of the fds. */
static void choose_sockets(struct edge *e, size_t rules)
{
	e->one_socket = rules * e->config.n_workers > e->config.fd_limit / 4;
}

struct rule_state *edge_push(struct edge *e, const struct rule *rule)
{
	struct rule_state *rs = edge_find(e, rule->id);
	struct service *s = NULL;

	if (!rs) {
		choose_sockets(e, e->n + 1);
		rs = add_state(e, rule);
		if (!rs)
			return NULL;
		apply_start_listening(rs);
		e->config.rules_changed(e->config.arg, NULL);
		return rs;
	}
	if (!rule_equal(rs->service->rule, rule)) {
		s = service_new(rule, rs->service, e->config.account, &e->watch);
		if (!s)
			return NULL;
	}
	if (release_port(rs, rule))
		barrier(e);
	take_over(rs, s);
	if (s) {
		/* Who is told that it is in force may connect at once. */
		barrier(e);
		e->config.rules_changed(e->config.arg, NULL);
	} else if (rs->status == RULE_FAILED) {
		rs->retry_secs = 1;
		apply_start_listening(rs);
	}
	return rs;
}

/* A rule without an address takes the port on all of them. */
static bool would_meet(const struct rule *a, const struct rule *b)
{
	return a->listen_port == b->listen_port && (!a->listen_address || !b->listen_address ||
						    !strcmp(a->listen_address, b->listen_address));
}

struct rule_state *edge_on_port(struct edge *e, const struct rule *rule)
{
	for (unsigned b = 0; b < BUCKETS; b++)
		for (struct rule_state *rs = e->bucket[b]; rs; rs = rs->next)
			if (rs->id != rule->id && would_meet(rs->service->rule, rule))
				return rs;
	return NULL;
}

int edge_remove(struct edge *e, uint64_t rule_id)
{
	struct rule_state *rs = edge_find(e, rule_id);

	if (!rs)
		return -ENOENT;
	if (release_port(rs, NULL))
		barrier(e);
	remove_state(rs);
	e->config.rules_changed(e->config.arg, NULL);
	return 0;
}

/* One rule of a set that is being applied. */
struct change {
	const struct rule *rule;
	struct rule_state *rs; /* NULL: a new rule */
	struct service *next;  /* NULL: no change, or a new rule */
};

static int by_rule_id(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	return x->rule->id < y->rule->id ? -1 : x->rule->id > y->rule->id;
}

static bool wanted(const struct change *changes, size_t n, uint64_t id)
{
	struct rule key_rule = {.id = id};
	struct change key = {.rule = &key_rule};

	return n && bsearch(&key, changes, n, sizeof(*changes), by_rule_id);
}

int edge_apply(struct edge *e, struct rule *const *rules, size_t n)
{
	struct change *changes = calloc(n ? n : 1, sizeof(*changes));
	struct rule_state **old = all_states(e);
	size_t n_old = e->n;
	bool wait = false;

	if (!changes || (n_old && !old))
		goto err;
	/* All that can fail comes before anything that can be seen. */
	for (size_t i = 0; i < n; i++) {
		struct change *c = &changes[i];

		c->rule = rules[i];
		c->rs = edge_find(e, rules[i]->id);
		if (!c->rs || rule_equal(c->rs->service->rule, rules[i]))
			continue;
		c->next = service_new(rules[i], c->rs->service, e->config.account, &e->watch);
		if (!c->next)
			goto err;
	}
	qsort(changes, n, sizeof(*changes), by_rule_id);
	choose_sockets(e, n);

	for (size_t i = 0; i < n; i++)
		if (changes[i].rs)
			wait |= release_port(changes[i].rs, changes[i].rule);
	for (size_t i = 0; i < n_old; i++)
		if (!wanted(changes, n, old[i]->id))
			wait |= release_port(old[i], NULL);
	if (wait)
		barrier(e);
	for (size_t i = 0; i < n_old; i++)
		if (!wanted(changes, n, old[i]->id))
			remove_state(old[i]);
	for (size_t i = 0; i < n; i++) {
		struct change *c = &changes[i];

		if (c->rs) {
			take_over(c->rs, c->next);
			continue;
		}
		c->rs = add_state(e, c->rule);
		if (c->rs)
			apply_start_listening(c->rs);
		else
			log_event(LOG_ERROR, "rule.failed", LOGF_UINT("rule", c->rule->id),
				  LOGF_STR("reason", "out of memory"));
	}
	free(changes);
	free(old);
	e->config.rules_changed(e->config.arg, NULL);
	return 0;

err:
	for (size_t i = 0; changes && i < n; i++)
		service_unref(changes[i].next);
	free(changes);
	free(old);
	return -ENOMEM;
}

/* ---- the rest ---- */

int edge_drain_target(struct edge *e, uint64_t rule_id, unsigned row, bool drained, bool kill)
{
	struct rule_state *rs = edge_find(e, rule_id);
	struct target *t;

	if (!rs)
		return -ENOENT;
	if (row >= rs->service->n)
		return -ERANGE;
	t = rs->service->target[row];
	atomic_store(&t->drained, drained);
	log_event(LOG_INFO, drained ? "rule.target.drained" : "rule.target.undrained",
		  LOGF_UINT("rule", rule_id), LOGF_UINT("index", row), LOGF_STR("host", t->host),
		  LOGF_UINT("port", t->port), LOGF_FLAG("kill", kill));
	for (unsigned i = 0; kill && i < e->config.n_workers; i++)
		job_end_target(&e->config.workers[i], target_ref(t));
	return 0;
}

static void stop_one(struct rule_state *rs, void *arg)
{
	apply_stop_listening(rs);
}

void edge_stop_listening(struct edge *e)
{
	e->stopped = true;
	edge_each(e, stop_one, NULL);
	barrier(e);
}

unsigned edge_connections(const struct edge *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->config.n_workers; i++)
		n += atomic_load_explicit(&e->config.workers[i].conns.n, memory_order_relaxed);
	return n;
}

/* Former targets that nothing here uses any more. */
static void let_go(struct rule_state *rs)
{
	struct target **at = &rs->retired;

	while (*at) {
		struct target *t = *at;

		if (atomic_load(&t->refs) > 1) {
			at = &t->next;
			continue;
		}
		account_slot_put(rs->edge->config.account, t->slot);
		rs->gone_in += atomic_load(&t->written_in);
		rs->gone_out += atomic_load(&t->written_out);
		*at = t->next;
		target_unref(t);
	}
}

void edge_housekeeping(struct edge *e)
{
	for (unsigned b = 0; b < BUCKETS; b++)
		for (struct rule_state *rs = e->bucket[b]; rs; rs = rs->next)
			if (rs->retired)
				let_go(rs);
}

void edge_free(struct edge *e)
{
	struct rule_state **all = all_states(e);
	size_t n = e->n;

	e->closing = true;
	drains_forget(&e->leaving);
	for (size_t i = 0; all && i < n; i++) {
		struct rule_state *rs = all[i];

		/* The pinned records stay for the next start: their slots are not put back. */
		forget_retired(rs);
		event_free(rs->retry);
		service_unref(rs->service);
		free(rs);
	}
	free(all);
	event_free(e->mail);
	mailbox_close(&e->mailbox);
	free(e);
}
