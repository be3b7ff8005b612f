// SPDX-License-Identifier: MIT
/* From one set of rules to the next: what differs, and in which order ports, targets and workers change. */
#include "edge/kernelrelay/kernelrelay.h"
#include "edge/rules/adopt.h"
#include "edge/rules/apply.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account/account.h"
#include "edge/rules/drain.h"
#include "edge/rules/jobs.h"
#include "edge/rules/news.h"
#include "edge/rules/ports.h"
#include "edge/rules/sni.h"
#include "edge/rules/table.h"
#include "edge/target/choose.h"
#include "edge/target/source.h"
#include "edge/worker/steer.h"
#include "edge/worker/worker.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/rule/listen.h"

static void barrier(struct rule_table *t)
{
	workers_barrier(t->config.workers, t->config.n_workers);
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
		target_ref(t);
		LIST_INSERT_HEAD(&rs->retired, t, retired);
	}
}

static struct service *next_service(struct rule_table *t, const struct rule *rule,
				    struct service *old)
{
	struct service *s;

	if (t->config.kernel && rule_relay_wanted(rule))
		kernel_relay_need(t->config.kernel);
	s = service_new(rule, old, t->config.account, &t->watch);
	if (s)
		service_set_owner(s, owners_envelope(&t->owners, rule->owner));
	return s;
}

/* Whether what is served is what @rule says, and whose it is. */
static bool is_served(const struct rule_state *rs, const struct rule *rule)
{
	const char *was = rs->service->rule->owner, *is = rule->owner;

	return rule_equal(rs->service->rule, rule) && !was == !is && (!was || !strcmp(was, is));
}

/* Puts @s in force in place of the present version; workers learn of it, listeners stay. */
static void replace_service(struct rule_state *rs, struct service *s)
{
	struct service *old = rs->service;
	struct rule_table *t = rs->table;

	rs->service = s;
	if (service_in_force(s, old))
		rule_news_caps_changed(t);
	retire_missing(rs, old);
	sni_changed(rs);
	for (unsigned w = 0; rs->n_listeners && w < t->config.n_workers; w++)
		job_set_service(&t->config.workers[w], &rs->endpoint[w], service_ref(s));
	service_unref(old);
	log_event(LOG_INFO, "rule.updated", LOGF_UINT("rule", rs->id), LOGF_UINT("targets", s->n));
}

static void forget_retired(struct rule_state *rs)
{
	while (!LIST_EMPTY(&rs->retired)) {
		struct target *t = LIST_FIRST(&rs->retired);

		LIST_REMOVE(t, retired);
		target_unref(t);
	}
}

/* What the account has of the rule is left alone. */
static void free_state(struct rule_state *rs)
{
	forget_retired(rs);
	if (rs->retry)
		event_free(rs->retry);
	service_unref(rs->service);
	free(rs);
}

static struct rule_state *add_state(struct rule_table *t, const struct rule *rule)
{
	struct rule_state *rs = calloc(1,
				       sizeof(*rs) + t->config.n_workers * sizeof(struct endpoint));
	struct account_key key = {.rule_id = rule->id, .listen_port = rule->listen_port};
	int err;

	if (!rs)
		return NULL;
	rs->table = t;
	rs->id = rule->id;
	rs->service = next_service(t, rule, NULL);
	if (!rs->service || ports_init(rs) < 0 || rule_table_add(t, rs) < 0) {
		free_state(rs);
		return NULL;
	}
	err = account_slot_get(t->config.account, &key, &rs->unassigned_slot);
	if (err)
		log_event(LOG_WARN, "accounting.slot_unavailable", LOGF_UINT("rule", rule->id),
			  LOGF_STR("record", "unassigned"), LOGF_STR("error", strerror(-err)));
	service_in_force(rs->service, NULL);
	return rs;
}

/* Takes a rule out of the table. Its listeners are closed already, and a barrier was passed. */
static void forget(struct rule_state *rs)
{
	struct rule_table *t = rs->table;

	rule_table_take(t, rs);
	/* Nobody can tag with its slots any more but connections that dial just now; the account
	 * keeps a record until no socket carries its slot. */
	account_slots_drop(t->config.account, rs->id);
	for (unsigned i = 0; i < rs->service->n; i++)
		atomic_store(&rs->service->target[i]->monitored, false);
	free_state(rs);
}

static void remove_state(struct rule_state *rs)
{
	struct rule_table *t = rs->table;

	log_event(LOG_INFO, "rule.removed", LOGF_UINT("rule", rs->id));
	drain_begin(t, totals_ref(rs->service->totals));
	forget(rs);
}

/*
 * The first half of a change: whatever gives up a port does so before anything takes one. Returns
 * whether a barrier is needed.
 */
static bool release_port(struct rule_state *rs, const struct rule *rule)
{
	bool had = rs->n_listeners;

	if (rule && (rule_listens_alike(rs->service->rule, rule) || ports_can_change(rs, rule)))
		return false;
	sni_leave(rs);
	ports_close(rs);
	return had;
}

/* A port of its own, or a share of one where patterns say whose a client is. */
static void open_port(struct rule_state *rs)
{
	if (!sni_enter(rs) && !rs->n_listeners)
		ports_open(rs);
}

/* A version that does not come into force: gives back the slots that were taken for it. */
static void drop_version(struct rule_state *rs, struct service *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		bool kept = false;

		for (unsigned k = 0; k < rs->service->n; k++)
			kept |= rs->service->target[k] == s->target[i];
		if (!kept)
			account_slot_put(rs->table->config.account, s->target[i]->slot);
	}
	service_unref(s);
}

/* Other ports, some of which stay: all of the change, or none of it. */
static void change_ports(struct rule_state *rs, struct service *s)
{
	struct ports_change change;

	if (ports_prepare(rs, s->rule, &change)) {
		drop_version(rs, s);
		return;
	}
	replace_service(rs, s);
	ports_commit(rs, &change);
}

static bool is_growing_or_shrinking(const struct rule_state *rs, const struct rule *next)
{
	return ports_can_change(rs, next) && !span_equal(rs->served, rule_span(next));
}

/* Whether the change takes no port that others may be giving up. */
static bool is_shrinking(const struct rule_state *rs, const struct rule *next)
{
	struct span is = rule_span(next);

	return is_growing_or_shrinking(rs, next) && span_has(rs->served, is.first) &&
	       span_has(rs->served, is.last);
}

/* The second half; the port, if it changes, is free. @s is the new version, or NULL for no change. A
 * port that could not be bound is tried again at once: who sends a rule again may have made room. */
static void take_over(struct rule_state *rs, struct service *s)
{
	const char *hint;

	rs->refused[0] = '\0';
	if (s && is_growing_or_shrinking(rs, s->rule))
		change_ports(rs, s);
	else if (s)
		replace_service(rs, s);
	/* Its clients could not be served from where the new version says. */
	if (s && rs->n_listeners && source_lacking(rs->service->rule, &hint))
		ports_close(rs);
	open_port(rs);
}

/* With one socket per worker for each port, sockets would eat more than a quarter of the fds. */
static void choose_sockets(struct rule_table *t, size_t rules)
{
	t->one_socket = rules * t->config.n_workers > t->config.fd_limit / 4;
}

struct rule_state *rule_table_push(struct rule_table *t, const struct rule *rule)
{
	struct rule_state *rs = rule_table_find(t, rule->id);
	struct service *s = NULL;

	if (!rs) {
		choose_sockets(t, t->n + 1);
		rs = add_state(t, rule);
		if (!rs)
			return NULL;
		open_port(rs);
		sni_settle(t, rs);
		t->config.rules_changed(t->config.arg, NULL);
		return rs;
	}
	if (!is_served(rs, rule)) {
		s = next_service(t, rule, rs->service);
		if (!s)
			return NULL;
	}
	if (release_port(rs, rule))
		barrier(t);
	sni_settle(t, rs);
	rs->retry_secs = 1;
	take_over(rs, s);
	sni_settle(t, rs);
	if (s) {
		/* Who is told that it is in force may connect at once. */
		barrier(t);
		t->config.rules_changed(t->config.arg, NULL);
	}
	return rs;
}

int rule_table_remove(struct rule_table *t, uint64_t rule_id)
{
	struct rule_state *rs = rule_table_find(t, rule_id);

	if (!rs)
		return -ENOENT;
	if (release_port(rs, NULL))
		barrier(t);
	sni_settle(t, NULL);
	remove_state(rs);
	t->config.rules_changed(t->config.arg, NULL);
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

int rule_table_apply(struct rule_table *t, struct rule *const *rules, size_t n)
{
	struct change *changes = calloc(n ? n : 1, sizeof(*changes));
	bool wait = false;

	if (!changes)
		return -ENOMEM;
	/* All that can fail comes before anything that can be seen. */
	for (size_t i = 0; i < n; i++) {
		struct change *c = &changes[i];

		c->rule = rules[i];
		c->rs = rule_table_find(t, rules[i]->id);
		if (!c->rs || is_served(c->rs, rules[i]))
			continue;
		c->next = next_service(t, rules[i], c->rs->service);
		if (!c->next)
			goto err;
	}
	qsort(changes, n, sizeof(*changes), by_rule_id);
	choose_sockets(t, n);

	for (size_t i = 0; i < n; i++) {
		struct change *c = &changes[i];

		if (c->next && is_shrinking(c->rs, c->rule)) {
			take_over(c->rs, c->next);
			c->next = NULL;
			wait = true;
		} else if (c->rs) {
			wait |= release_port(c->rs, c->rule);
		}
	}
	for (size_t i = 0; i < t->n; i++)
		if (!wanted(changes, n, t->all[i]->id))
			wait |= release_port(t->all[i], NULL);
	wait |= sni_close_unwanted(t, rules, n);
	if (wait)
		barrier(t);
	for (size_t i = t->n; i-- > 0;)
		if (!wanted(changes, n, t->all[i]->id))
			remove_state(t->all[i]);
	for (size_t i = 0; i < n; i++) {
		struct change *c = &changes[i];

		if (c->rs) {
			take_over(c->rs, c->next);
			continue;
		}
		c->rs = add_state(t, c->rule);
		if (c->rs)
			open_port(c->rs);
		else
			log_event(LOG_ERROR, "rule.failed", LOGF_UINT("rule", c->rule->id),
				  LOGF_STR("reason", "out of memory"));
	}
	free(changes);
	sni_settle(t, NULL);
	t->config.rules_changed(t->config.arg, NULL);
	return 0;

err:
	for (size_t i = 0; i < n; i++)
		service_unref(changes[i].next);
	free(changes);
	return -ENOMEM;
}

/* ---- the rest ---- */

int rule_table_drain_target(struct rule_table *t, uint64_t rule_id, unsigned row, bool drained,
			    bool kill)
{
	struct rule_state *rs = rule_table_find(t, rule_id);
	struct target *target;

	if (!rs)
		return -ENOENT;
	if (row >= rs->service->n)
		return -ERANGE;
	target = rs->service->target[row];
	atomic_store(&target->drained, drained);
	service_settle(rs->service);
	log_event(LOG_INFO, drained ? "rule.target.drained" : "rule.target.undrained",
		  LOGF_UINT("rule", rule_id), LOGF_UINT("index", row),
		  LOGF_STR("host", target->host), LOGF_UINT("port", target->port),
		  LOGF_FLAG("kill", kill));
	for (unsigned i = 0; kill && i < t->config.n_workers; i++)
		job_end_target(&t->config.workers[i], target_ref(target), END_KILLED);
	return 0;
}

int rule_table_fail_back(struct rule_table *t, uint64_t rule_id)
{
	struct rule_state *rs = rule_table_find(t, rule_id);
	const struct target *to;

	if (!rs)
		return -ENOENT;
	if (!service_fail_back(rs->service))
		return 0;
	to = rs->service->target[service_current(rs->service)];
	log_event(LOG_INFO, "rule.failback", LOGF_UINT("rule", rule_id), LOGF_STR("host", to->host),
		  LOGF_UINT("port", to->port));
	return 0;
}

void rule_table_stop_listening(struct rule_table *t)
{
	t->stopped = true;
	for (size_t i = 0; i < t->n; i++)
		ports_close(t->all[i]);
	sni_stop_listening(t);
	barrier(t);
}

unsigned rule_table_connections(const struct rule_table *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->config.n_workers; i++)
		n += atomic_load_explicit(&t->config.workers[i].conns.n, memory_order_relaxed);
	return n;
}

void rule_table_retry_binds(struct rule_table *t)
{
	ports_retry(t);
	sni_retry(t);
}

/* Former targets that nothing here uses any more. */
static void let_go_of_retired(struct rule_state *rs)
{
	struct target *t, *next;

	for (t = LIST_FIRST(&rs->retired); t; t = next) {
		struct target_sums sums;

		next = LIST_NEXT(t, retired);
		if (atomic_load(&t->refs) > 1)
			continue;
		target_store_written(t, rs->table->config.account);
		account_slot_put(rs->table->config.account, t->slot);
		sums = target_sum(t);
		rs->gone_in += sums.written_in;
		rs->gone_out += sums.written_out;
		LIST_REMOVE(t, retired);
		target_unref(t);
	}
}

/* So that the records of UDP targets are no older than a second for whoever reads the map. */
static void store_written(struct rule_state *rs)
{
	const struct service *s = rs->service;

	for (unsigned i = 0; s->rule->protocol == RULE_UDP && i < s->n; i++)
		target_store_written(s->target[i], rs->table->config.account);
}

void rule_table_housekeeping(struct rule_table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		store_written(t->all[i]);
		let_go_of_retired(t->all[i]);
	}
	rules_adopt(t);
	owners_tidy(&t->owners);
}

int rule_table_cap_owner(struct rule_table *t, const char *owner, const struct rate_limit *limit)
{
	int changed = owners_set(&t->owners, owner, limit, clock_mono_ns());

	if (changed > 0) {
		log_event(LOG_INFO, "owner.caps_changed", LOGF_STR("owner", owner),
			  LOGF_FLAG("capped", limit != NULL));
		rule_news_caps_changed(t);
	}
	return changed;
}

struct rule_table *rule_table_new(const struct rule_table_config *config)
{
	struct rule_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->config = *config;
	t->owners.n_workers = config->n_workers;
	LIST_INIT(&t->leaving);
	LIST_INIT(&t->groups);
	t->steer = steer_new();
	if (t->steer && !rule_news_init(t))
		return t;
	steer_free(t->steer);
	free(t);
	return NULL;
}

void rule_table_free(struct rule_table *t)
{
	t->closing = true;
	drain_forget_all(t);
	/* The pinned records stay for the next start: their slots are not put back. */
	for (size_t i = 0; i < t->n; i++) {
		store_written(t->all[i]);
		free_state(t->all[i]);
	}
	t->n = 0;
	owners_close(&t->owners);
	sni_forget_all(t);
	rule_news_close(t);
	steer_free(t->steer);
	free(t->all);
	free(t);
}
