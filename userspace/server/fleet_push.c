// SPDX-License-Identifier: MIT
/* What operators do to rules: push, update, remove, and the wait for the edge's answer. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "server/fleet_internal.h"

#define ACK_TIMEOUT_MAX_SECS 3600

static char *spec_text(const struct rule *rule)
{
	json_t *o = rule_to_json(rule);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	return text;
}

static void push_free(struct fleet_push *p)
{
	if (p->timeout)
		event_free(p->timeout);
	rule_free(p->previous);
	free(p);
}

/* Tells the operator and forgets the push. */
static void push_done(struct fleet_push *p, const struct fleet_error *err)
{
	struct fleet_rule *r = p->r;

	r->push = NULL;
	p->done(p->arg, r, err);
	push_free(p);
}

/* Back to the rule that the edge still has, since it refused the new one. */
static int restore_previous(struct fleet_push *p)
{
	char *spec = spec_text(p->previous);
	int err = spec ? store_rule_set_spec(p->fleet->store, p->r->rule->id, spec) : -ENOMEM;

	free(spec);
	if (err)
		return err;
	rule_free(p->r->rule);
	p->r->rule = p->previous;
	p->previous = NULL;
	return 0;
}

void fleet_push_answered(struct fleet_push *p, const char *refusal)
{
	struct fleet_error err;
	int failed;

	if (!refusal) {
		failed = fleet_set_state(p->fleet, p->r, FLEET_ACTIVE, NULL);
		fleet_error_set(&err, 422, "activation_failed", "persist_rule: %s",
				store_advice(failed));
		push_done(p, failed ? &err : NULL);
		return;
	}
	fleet_error_set(&err, 422, "activation_failed", "activation_failed: %s", refusal);
	/* If even that cannot be stored, the answer is a refusal all the same; the fleet logged. */
	if (p->previous)
		restore_previous(p);
	else
		fleet_set_state(p->fleet, p->r, FLEET_FAILED, refusal);
	push_done(p, &err);
}

void fleet_push_cancel(struct fleet_push *p, int status, const char *code, const char *message)
{
	struct fleet_error err;

	fleet_error_set(&err, status, code, "%s", message);
	p->r->push = NULL;
	p->done(p->arg, status == 409 ? NULL : p->r, &err);
	push_free(p);
}

/* The rule stays stored as pending: the edge gets it again when it reconnects, and may still answer. */
static void ack_timed_out(evutil_socket_t fd, short what, void *arg)
{
	struct fleet_push *p = arg;

	if (p->decided) {
		push_done(p, &p->outcome);
		return;
	}
	fleet_set_state(p->fleet, p->r, FLEET_PENDING, NULL);
	fleet_push_cancel(p, 504, "ack_timeout",
			  "ack_timeout: the edge did not answer in time; the rule stays pending "
			  "and takes effect when the edge answers");
}

static struct fleet_push *push_new(struct fleet *f, fleet_done done, void *arg)
{
	struct fleet_push *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->fleet = f;
	p->done = done;
	p->arg = arg;
	p->timeout = evtimer_new(f->base, ack_timed_out, p);
	if (!p->timeout || ulid_new(clock_wall_ms(), p->request_id)) {
		push_free(p);
		return NULL;
	}
	return p;
}

static void push_start(struct fleet_push *p, struct fleet_rule *r)
{
	uint64_t secs = r->rule->fields & RULE_HAS_ACK_TIMEOUT ? r->rule->ack_timeout_secs
							       : FLEET_ACK_TIMEOUT_SECS;
	struct timeval wait = {.tv_sec = secs < ACK_TIMEOUT_MAX_SECS ? (time_t)secs
								     : ACK_TIMEOUT_MAX_SECS};

	p->r = r;
	r->push = p;
	event_add(p->timeout, &wait);
	if (session_send_push(r->client->session, p->request_id, r->rule->id)) {
		p->decided = true;
		fleet_error_set(&p->outcome, 504, "ack_timeout",
				"ack_timeout: the session ended before the rule was sent; it stays "
				"pending");
		event_active(p->timeout, EV_TIMEOUT, 0);
	}
}

static bool same_address(const struct rule *a, const struct rule *b)
{
	return !a->listen_address || !b->listen_address ||
	       !strcmp(a->listen_address, b->listen_address);
}

static int check_port(const struct fleet_client *c, const struct rule *rule,
		      struct fleet_error *err)
{
	const struct fleet_rule *r;

	TAILQ_FOREACH(r, &c->rules, of_client)
	{
		if (r->rule->listen_port != rule->listen_port ||
		    r->rule->protocol != rule->protocol || !same_address(r->rule, rule))
			continue;
		fleet_error_set(err, 409, "port_in_use",
				"port_in_use: rule %llu of %s already listens on %u",
				(unsigned long long)r->rule->id, c->name, rule->listen_port);
		return -1;
	}
	return 0;
}

static int check_peer(const struct fleet_client *c, const struct rule *rule,
		      struct fleet_error *err)
{
	const struct session *s = c->session;

	return gate_rule(&(struct gate_peer){.version = s->client_version,
					     .udp = s->udp,
					     .rule_options = s->rule_options},
			 rule, err)
		       ? -1
		       : 0;
}

/* An array of one target is the old shape, on the wire and everywhere else (DECISIONS 6). */
static void normalise(struct rule *rule)
{
	if (rule->n_targets == 1)
		rule->legacy = true;
}

static int not_connected(struct fleet_error *err, const char *name, bool known)
{
	fleet_error_set(err, 422, "client_not_connected",
			known ? "client_not_connected: '%s' has no live session"
			      : "client_not_connected: no client named '%s'",
			name);
	return -1;
}

static int store_refused(struct fleet_error *err, int errnum)
{
	fleet_error_set(err, 422, "activation_failed", "activation_failed: persist_rule: %s",
			store_advice(errnum));
	return -1;
}

static int insert_rule(struct fleet *f, struct fleet_rule *r)
{
	char *spec = spec_text(r->rule);
	uint64_t id;
	int err = -ENOMEM;

	if (spec)
		err = store_rule_insert(f->store,
					&(struct store_rule){
						.client_id = r->client->id,
						.owner = r->rule->owner,
						.spec = spec,
						.state = FLEET_PENDING,
						.created_ms = r->created_ms,
						.changed_ms = r->changed_ms,
					},
					&id);
	free(spec);
	if (err)
		return err;
	r->rule->id = r->counters.rule_id = id;
	err = fleet_index_rule(f, r);
	if (err)
		store_rule_delete(f->store, id);
	return err;
}

int fleet_push(struct fleet *f, struct rule *rule, fleet_done done, void *arg,
	       struct fleet_error *err)
{
	struct fleet_client *c = fleet_client_by_name(f, rule->client);
	struct fleet_rule *r = NULL;
	struct fleet_push *p = NULL;
	int errnum;

	normalise(rule);
	if (!c || !fleet_is_connected(c)) {
		not_connected(err, rule->client, c);
		goto refuse;
	}
	if (check_peer(c, rule, err) || check_port(c, rule, err))
		goto refuse;
	r = calloc(1, sizeof(*r));
	p = push_new(f, done, arg);
	errnum = -ENOMEM;
	if (!r || !p) {
		store_refused(err, errnum);
		goto refuse;
	}
	r->client = c;
	r->rule = rule;
	r->created_ms = r->changed_ms = clock_wall_ms();
	r->counted = true; /* the store has made its counters, all zero */
	errnum = insert_rule(f, r);
	if (errnum) {
		store_refused(err, errnum);
		goto refuse;
	}
	push_start(p, r);
	return 0;
refuse:
	if (p)
		push_free(p);
	free(r);
	rule_free(rule);
	return -1;
}

static bool same_listener(const struct fleet_rule *r, const struct rule *rule)
{
	const char *a = r->rule->listen_address, *b = rule->listen_address;

	return rule->protocol == r->rule->protocol && rule->listen_port == r->rule->listen_port &&
	       (a ? b && !strcmp(a, b) : !b) && rule->client &&
	       !strcmp(rule->client, r->client->name);
}

/* Whether an update may go on: same listener, and an edge that takes new targets if they differ. */
static int check_update(struct fleet_rule *r, const struct rule *rule, struct fleet_error *err)
{
	const struct session *s = r->client->session;

	if (!same_listener(r, rule)) {
		fleet_error_set(err, 400, "validation.rule_update_shape_mismatch",
				"client, protocol, listen_port and listen_address cannot change");
		return -1;
	}
	if (!fleet_is_connected(r->client))
		return not_connected(err, r->client->name, true);
	if (!rule_equal(rule, r->rule) && !s->rule_update) {
		fleet_error_set(
			err, 400, "validation.rule_update_shape_mismatch",
			"this edge cannot change a rule's targets; remove the rule and push "
			"it again");
		return -1;
	}
	if (check_peer(r->client, rule, err))
		return -1;
	if (r->push) {
		fleet_error_set(err, 409, "update_in_progress",
				"the edge has not answered the last change of this rule yet");
		return -1;
	}
	return 0;
}

int fleet_update(struct fleet *f, struct fleet_rule *r, struct rule *rule, fleet_done done,
		 void *arg, struct fleet_error *err)
{
	struct fleet_push *p = NULL;
	char *spec = NULL;
	int errnum = -ENOMEM;

	normalise(rule);
	rule->id = r->rule->id;
	if (check_update(r, rule, err))
		goto refuse;
	p = push_new(f, done, arg);
	spec = spec_text(rule);
	if (p && spec)
		errnum = store_rule_set_spec(f->store, rule->id, spec);
	if (errnum) {
		store_refused(err, errnum);
		goto refuse;
	}
	free(spec);
	p->previous = r->rule;
	r->rule = rule;
	push_start(p, r);
	return 0;
refuse:
	free(spec);
	if (p)
		push_free(p);
	rule_free(rule);
	return -1;
}

int fleet_remove(struct fleet *f, struct fleet_rule *r)
{
	int err = store_rule_delete(f->store, r->rule->id);

	if (err)
		return err;
	if (fleet_is_connected(r->client))
		session_send_remove(r->client->session, r->rule);
	fleet_drop_rule(f, r);
	return 0;
}
