// SPDX-License-Identifier: MIT
/* Rules as they are served: versions of a rule, the targets that outlive them, and who comes next. */
#include "edge/ruleset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account.h"
#include "lib/clock.h"
#include "lib/log.h"

static const char *const end_reason_texts[END_REASONS] = {
	[END_CLOSED] = "closed",
	[END_CLIENT_RESET] = "client_reset",
	[END_TARGET_RESET] = "target_reset",
	[END_NO_TARGET] = "no_target",
	[END_CLIENT_GONE] = "client_gone",
	[END_IDLE] = "idle",
	[END_DEAD_PEER] = "dead_peer",
	[END_DRAINED] = "drained",
	[END_KILLED] = "killed",
	[END_LOCAL] = "local_error",
};

const char *end_reason_text(enum end_reason reason)
{
	return end_reason_texts[reason];
}

static struct rule_totals *totals_new(uint64_t rule_id, const struct target_watch *watch)
{
	struct rule_totals *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->refs = 1;
	t->rule_id = rule_id;
	t->watch = watch;
	return t;
}

struct rule_totals *totals_ref(struct rule_totals *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void totals_unref(struct rule_totals *t)
{
	if (t && atomic_fetch_sub(&t->refs, 1) == 1)
		free(t);
}

static struct target *target_new(struct rule_totals *totals, const struct rule_target *rt)
{
	struct target *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->host = strdup(rt->host);
	if (!t->host) {
		free(t);
		return NULL;
	}
	t->refs = 1;
	t->port = rt->port;
	t->totals = totals_ref(totals);
	health_init(&t->health, clock_wall_ms());
	return t;
}

void target_unref(struct target *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	totals_unref(t->totals);
	free(t->host);
	free(t);
}

static struct target *find_target(const struct service *s, const struct rule_target *rt)
{
	if (s)
		for (unsigned i = 0; i < s->n; i++)
			if (s->target[i]->port == rt->port &&
			    rule_host_equal(s->target[i]->host, rt->host))
				return s->target[i];
	return NULL;
}

static void get_slot(struct target *t, const struct rule *r, unsigned row, struct account *account)
{
	struct account_key key = {
		.rule_id = r->id,
		.listen_port = r->listen_port,
		.port = t->port,
		.host = t->host,
		.index = (uint8_t)row,
	};
	int err = account_slot_get(account, &key, &t->slot);

	if (err)
		log_event(LOG_WARN, "accounting.slot_unavailable", LOGF_UINT("rule", r->id),
			  LOGF_STR("host", t->host), LOGF_UINT("port", t->port),
			  LOGF_STR("error", strerror(-err)));
}

struct service *service_new(const struct rule *rule, struct service *old, struct account *account,
			    const struct target_watch *watch)
{
	struct service *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->refs = 1;
	s->rule = rule_dup(rule);
	s->totals = old ? totals_ref(old->totals) : totals_new(rule->id, watch);
	if (!s->rule || !s->totals)
		goto err;
	for (; s->n < rule->n_targets; s->n++) {
		const struct rule_target *rt = &rule->targets[s->n];
		struct target *t = find_target(old, rt);

		if (t) {
			target_ref(t);
		} else {
			t = target_new(s->totals, rt);
			if (!t)
				goto err;
			get_slot(t, rule, s->n, account);
		}
		s->target[s->n] = t;
	}
	s->monitored = s->n > 1;
	rule_preference(rule, s->order);
	return s;

err:
	service_unref(s);
	return NULL;
}

void service_in_force(struct service *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct target *t = s->target[i];

		/* A target that is alone in its rule carries no health. */
		if (!s->monitored && atomic_load(&t->monitored))
			health_reset(&t->health, clock_wall_ms());
		atomic_store(&t->monitored, s->monitored);
	}
}

void service_unref(struct service *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (unsigned i = 0; i < s->n; i++)
		target_unref(s->target[i]);
	totals_unref(s->totals);
	rule_free(s->rule);
	free(s);
}

static const char *state_text(enum health_state s)
{
	return s == HEALTH_FAILED ? "failed" : "healthy";
}

void target_report(struct target *t, int err)
{
	const struct target_watch *watch = t->totals->watch;
	enum health_change change;
	enum health_state to;
	char name[300];

	if (!atomic_load_explicit(&t->monitored, memory_order_relaxed))
		return;
	change = health_report(&t->health, err, clock_mono_ns(), clock_wall_ms());
	if (change == HEALTH_SAME)
		return;
	to = change == HEALTH_BECAME_FAILED ? HEALTH_FAILED : HEALTH_HEALTHY;
	atomic_fetch_add(&t->totals->failovers, 1);
	snprintf(name, sizeof(name), "%s:%u", t->host, t->port);
	log_event(to == HEALTH_FAILED ? LOG_WARN : LOG_INFO, "rule.target.health_changed",
		  LOGF_UINT("rule", t->totals->rule_id), LOGF_STR("target", name),
		  LOGF_STR("from",
			   state_text(to == HEALTH_FAILED ? HEALTH_HEALTHY : HEALTH_FAILED)),
		  LOGF_STR("to", state_text(to)),
		  LOGF_STR("cause", err ? strerror(err) : "connects succeed again"));
	watch->changed(watch->arg, t, to);
}

void target_learn_connect_time(struct target *t, uint64_t ns)
{
	unsigned us = (unsigned)(ns / NS_PER_US > 10000000 ? 10000000 : ns / NS_PER_US) + 1;
	unsigned old = atomic_load_explicit(&t->connect_us, memory_order_relaxed);
	unsigned now = old ? old - old / 8 + us / 8 : us;

	/* Two workers at once may lose one sample; not written for a sample within an eighth of it,
	 * so that the workers do not pass the cache line to and fro. */
	if (now > old + old / 64 || now < old - old / 64)
		atomic_store_explicit(&t->connect_us, now ? now : 1, memory_order_relaxed);
}

int service_next(const struct service *s, unsigned dialled)
{
	int failed = -1;

	for (unsigned i = 0; i < s->n; i++) {
		int row = s->order[i];
		struct target *t = s->target[row];

		if (dialled & (1u << row))
			continue;
		if (atomic_load_explicit(&t->drained, memory_order_relaxed))
			continue;
		if (!s->monitored || health_state(&t->health) == HEALTH_HEALTHY)
			return row;
		if (failed < 0)
			failed = row;
	}
	return failed;
}
