// SPDX-License-Identifier: MIT
/* Versions of a rule as they are served. */
#include "edge/target/service.h"

#include <stdlib.h>
#include <string.h>

#include "edge/account/account.h"
#include "edge/target/access_list.h"
#include "edge/target/source.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/rule/span.h"

static struct target *find_target(const struct service *s, const struct rule_target *rt, bool udp)
{
	if (s)
		for (unsigned i = 0; i < s->n; i++)
			if (s->target[i]->port == rt->port && s->target[i]->udp == udp &&
			    rule_host_same(s->target[i]->host, rt->host))
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
	struct account_record before;
	int err = account_slot_get(account, &key, &t->slot);

	if (err)
		log_event(LOG_WARN, "accounting.slot_unavailable", LOGF_UINT("rule", r->id),
			  LOGF_STR("host", t->host), LOGF_UINT("port", t->port),
			  LOGF_STR("error", strerror(-err)));
	/* What a record from before holds is what the next figures add to. */
	if (!err && t->udp && account_read(account, t->slot, &before) == 0) {
		t->cells->written_in = before.bytes_in;
		t->cells->written_out = before.bytes_out;
	}
}

/* Which rows share connections. */
static void set_levels(struct service *s)
{
	const struct rule *r = s->rule;

	rule_preference(r, s->order);
	for (uint8_t i = 0; i < s->n; i++) {
		s->place[s->order[i]] = i;
		if (i > 0 &&
		    (r->balance == RULE_BALANCE_ORDER ||
		     r->targets[s->order[i]].priority != r->targets[s->order[i - 1]].priority))
			s->level_end[s->n_levels++] = i;
	}
	s->level_end[s->n_levels++] = s->n;
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
	s->admission.by[ADMIT_RULE] = old ? envelope_ref(old->admission.by[ADMIT_RULE])
					  : envelope_new(watch->n_workers);
	if (!s->rule || !s->totals || !s->admission.by[ADMIT_RULE])
		goto err;
	if (source_new(rule, &s->source))
		goto err;
	if (rule->accept_proxy) {
		s->balancers = access_list_new(rule->accept_proxy_from, NULL);
		if (!s->balancers)
			goto err;
	}
	if (rule->allow || rule->deny) {
		s->access = access_list_new(rule->allow, rule->deny);
		if (!s->access)
			goto err;
	}
	if (rule_is_range(rule))
		totals_count_ports(s->totals);
	for (; s->n < rule->n_targets; s->n++) {
		const struct rule_target *rt = &rule->targets[s->n];
		struct target *t = find_target(old, rt, rule->protocol == RULE_UDP);

		if (t) {
			target_ref(t);
		} else {
			t = target_new(s->totals, rt->host, rt->port);
			if (!t)
				goto err;
			t->udp = rule->protocol == RULE_UDP;
			get_slot(t, rule, s->n, account);
		}
		s->target[s->n] = t;
	}
	s->monitored = s->n > 1;
	set_levels(s);
	return s;

err:
	service_unref(s);
	return NULL;
}

void service_set_owner(struct service *s, struct envelope *owner)
{
	envelope_unref(s->admission.by[ADMIT_OWNER]);
	s->admission.by[ADMIT_OWNER] = envelope_ref(owner);
}

/* The level of the new version that has a target of the one that took connections; 0: none has. */
static unsigned same_level(const struct service *s, const struct service *old)
{
	unsigned held = atomic_load(&s->totals->held), level = 0;

	if (held >= old->n_levels)
		return 0;
	for (unsigned i = 0; i < s->n; i++) {
		const struct target *t = s->target[s->order[i]];

		while (i >= s->level_end[level])
			level++;
		for (unsigned k = held ? old->level_end[held - 1] : 0; k < old->level_end[held];
		     k++)
			if (old->target[old->order[k]] == t)
				return level;
	}
	return 0;
}

bool service_in_force(struct service *s, const struct service *old)
{
	if (old)
		atomic_store(&s->totals->held, old->rule->manual_failback ? same_level(s, old) : 0);
	for (unsigned i = 0; i < s->n; i++) {
		struct target *t = s->target[i];

		/* A target that is alone in its rule carries no health. */
		if (!s->monitored && atomic_load(&t->monitored))
			health_reset(&t->health, clock_wall_ms());
		atomic_store(&t->monitored, s->monitored);
		atomic_store(&t->talks, rule_talks(s->rule));
	}
	return envelope_set(s->admission.by[ADMIT_RULE], &s->rule->limit, clock_mono_ns());
}

void service_unref(struct service *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (unsigned i = 0; i < s->n; i++)
		target_unref(s->target[i]);
	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++)
		envelope_unref(s->admission.by[i]);
	totals_unref(s->totals);
	access_list_free(s->access);
	access_list_free(s->balancers);
	source_unref(s->source);
	rule_free(s->rule);
	free(s);
}
