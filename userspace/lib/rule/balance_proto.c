// SPDX-License-Identifier: MIT
/* How a rule shares its connections among targets, on the control channel. */
#include "lib/rule/balance_proto.h"

#include "lib/rule/draft.h"

static void eject_to_proto(const struct rule_eject *e, Portunus__V1__Eject *m)
{
	portunus__v1__eject__init(m);
	m->resets = e->resets;
	m->window_secs = e->window_secs;
	m->for_secs = e->for_secs;
}

static void talk_to_proto(const struct rule_talk *t, Portunus__V1__HealthCheck *m)
{
	portunus__v1__health_check__init(m);
	if (t->send)
		m->send = t->send;
	if (t->expect)
		m->expect = t->expect;
	m->tls = t->tls;
	m->port = t->port;
}

void balance_to_proto(const struct rule *r, Portunus__V1__Rule *m, struct balance_proto *parts)
{
	m->balance = (Portunus__V1__Balance)r->balance;
	m->on_failure = r->end_sessions ? PORTUNUS__V1__ON_FAILURE__ON_FAILURE_END_SESSIONS
					: PORTUNUS__V1__ON_FAILURE__ON_FAILURE_KEEP;
	m->failback = r->manual_failback ? PORTUNUS__V1__FAILBACK__FAILBACK_MANUAL
					 : PORTUNUS__V1__FAILBACK__FAILBACK_AUTO;
	for (size_t i = 0; i < m->n_targets; i++)
		m->targets[i]->weight = r->targets[i].weight;
	if (r->eject.resets) {
		eject_to_proto(&r->eject, &parts->eject);
		m->eject = &parts->eject;
	}
	if (rule_talks(r) || r->talk.port) {
		talk_to_proto(&r->talk, &parts->talk);
		m->health_check = &parts->talk;
	}
}

static void set_text(struct draft_value *v, const char *s)
{
	v->has = true;
	v->s = s;
}

static void set_number(struct draft_value *v, uint64_t n)
{
	v->has = true;
	v->u = n;
}

static void draft_talk(struct rule_draft *d, const Portunus__V1__HealthCheck *m)
{
	if (m->send[0])
		set_text(&d->talk[TALK_SEND], m->send);
	if (m->expect[0])
		set_text(&d->talk[TALK_EXPECT], m->expect);
	if (m->tls)
		set_number(&d->talk[TALK_TLS], true);
	if (m->port)
		set_number(&d->talk[TALK_PORT], m->port);
}

void balance_from_proto(struct rule_draft *d, const Portunus__V1__Rule *m)
{
	static const char *const on_failure[] = {"keep", "end_sessions"};
	static const char *const failback[] = {"auto", "manual"};

	/* A number that this edge does not know is no word at all, and is refused as such. */
	set_text(&d->key[KEY_BALANCE], rule_balance_text(m->balance));
	set_text(&d->key[KEY_ON_FAILURE],
		 (unsigned)m->on_failure < 2 ? on_failure[m->on_failure] : "?");
	set_text(&d->key[KEY_FAILBACK], (unsigned)m->failback < 2 ? failback[m->failback] : "?");
	for (size_t i = 0; i < m->n_targets && i < RULE_TARGETS_MAX; i++)
		if (m->targets[i]->weight)
			set_number(&d->target[i][TARGET_WEIGHT], m->targets[i]->weight);
	if (m->eject) {
		set_number(&d->eject[EJECT_RESETS], m->eject->resets);
		set_number(&d->eject[EJECT_WINDOW], m->eject->window_secs);
		set_number(&d->eject[EJECT_FOR], m->eject->for_secs);
	}
	if (m->health_check)
		draft_talk(d, m->health_check);
}
