// SPDX-License-Identifier: MIT
/* What an edge says about a rule, and what becomes of the rule and of who waits for it. */
#include "server/fleet/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/ulid.h"
#include "lib/base/utf8.h"
#include "server/fleet/desired.h"
#include "server/fleet/flush.h"
#include "server/fleet/wait.h"

#define REFUSAL_SHOWN 100 /* bytes of the edge's reason, so that the advice has room */

/* The operator learns what became of the rule, else the next try meets its own port_in_use. */
static void tell_refusal(struct fleet_push *p, const struct fleet_rule *r, bool update,
			 const char *reason)
{
	unsigned long long id = r->rule->id;
	int cut = utf8_cut(reason, REFUSAL_SHOWN);
	struct fleet_error err;

	if (update)
		fleet_error_set(&err, 422, "activation_failed",
				"activation_failed: %.*s; rule %llu goes on as it was", cut, reason,
				id);
	else
		fleet_error_set(&err, 422, "activation_failed",
				"activation_failed: %.*s; rule %llu is kept as failed and tried "
				"again: change it, or remove it with 'remove-rule %llu'",
				cut, reason, id, id);
	err.rule_id = id;
	wait_end(p, &err);
}

/* Whether the status answers the message with that id. */
static bool answers_update(const struct fleet_rule *r, const char *request_id)
{
	return r->next && *request_id && !strcmp(r->next_id, request_id);
}

/*
 * The first push of a rule that the status answers. Existing edges answer a rule that they refuse with
 * an empty request_id: the one push of that rule is then what they mean.
 */
static struct fleet_push *answered_push(const struct fleet_rule *r, const char *request_id,
					enum fleet_outcome outcome)
{
	if (!r->push || r->next)
		return NULL;
	if (outcome == FLEET_REFUSED && !*request_id)
		return r->push;
	return !strcmp(wait_request_id(r->push), request_id) ? r->push : NULL;
}

void answer_settle_doubt(struct fleet_rule *r)
{
	struct session *s = fleet_is_connected(r->client) ? r->client->session : NULL;
	char request_id[ULID_SIZE];
	struct fleet_error cannot;

	r->in_doubt = false;
	/* Of what this edge cannot have the replay has said so. */
	if (s && !session_gate(s, r->rule, &cannot) && !ulid_new(clock_wall_ms(), request_id))
		outbox_send_push(&s->out, request_id, r->rule->id);
}

/* Whoever still waits for the answer that is stored now; NULL: nobody. */
static struct fleet_push *answered(const struct fleet_rule *r)
{
	return r && r->push && wait_is_answered(r->push) ? r->push : NULL;
}

static void tell_stored(struct fleet_push *p, int errnum)
{
	struct fleet_error err;

	if (errnum)
		fleet_error_store(&err, errnum);
	wait_end(p, errnum ? &err : NULL);
}

static void on_confirmed(void *arg, struct fleet_rule *r, int errnum)
{
	struct fleet_push *p = answered(r);

	if (p)
		tell_stored(p, errnum);
}

/* What an edge says when it refuses, until that is stored. */
struct refusal {
	bool update;
	char reason[];
};

static struct refusal *refusal_new(bool update, const char *reason)
{
	struct refusal *why = malloc(sizeof(*why) + strlen(reason) + 1);

	if (!why)
		return NULL;
	why->update = update;
	strcpy(why->reason, reason);
	return why;
}

/* If even that cannot be stored, the answer is a refusal all the same; it was logged. */
static void on_refusal_stored(void *arg, struct fleet_rule *r, int errnum)
{
	struct refusal *why = arg;
	struct fleet_push *p = answered(r);

	if (why->update && !errnum && r && !r->next && r->in_doubt)
		answer_settle_doubt(r);
	if (p)
		tell_refusal(p, r, why->update, why->reason);
	free(why);
}

static void on_update_answer(struct fleet *f, struct fleet_rule *r, enum fleet_outcome outcome,
			     const char *reason)
{
	bool active = outcome == FLEET_ACTIVATED;
	struct refusal *why = active ? NULL : refusal_new(true, reason);
	int err = !active && !why ? -ENOMEM
		  : active	  ? desired_confirm(f, r, on_confirmed, NULL)
			   /* If that cannot be stored, the update is sent, and refused,
				   * again after the next start. */
			   : desired_drop(f, r, on_refusal_stored, why);

	if (r->push)
		wait_answered(r->push);
	if (!err)
		return;
	free(why);
	if (r->push)
		tell_stored(r->push, err);
}

static void on_push_answer(struct fleet *f, struct fleet_push *p, struct fleet_rule *r,
			   enum fleet_outcome outcome, const char *reason)
{
	bool active = outcome == FLEET_ACTIVATED;
	struct refusal *why = active ? NULL : refusal_new(false, reason);
	int err = !active && !why ? -ENOMEM
		  : active	  ? model_set_state(f, r, FLEET_ACTIVE, NULL, on_confirmed, NULL)
			   : model_set_state(f, r, FLEET_FAILED, reason, on_refusal_stored, why);

	wait_answered(p);
	if (!err)
		return;
	free(why);
	tell_stored(p, err);
}

static void log_status(const struct fleet_rule *r, enum fleet_outcome outcome, const char *reason)
{
	/* A replay confirms thousands of rules that were active all along: that is no news. */
	if (outcome == FLEET_ACTIVATED)
		log_event(r->state == FLEET_ACTIVE ? LOG_DEBUG : LOG_INFO, "rule.activated",
			  LOGF_UINT("rule_id", r->rule->id), LOGF_STR("client", r->client->name));
	else
		log_event(LOG_WARN, "rule.activation_failed", LOGF_UINT("rule_id", r->rule->id),
			  LOGF_STR("client", r->client->name), LOGF_STR("reason", reason));
}

void answer_on_status(struct session *s, struct fleet_rule *r, const char *request_id,
		      enum fleet_outcome outcome, const char *reason)
{
	struct fleet_push *p = answered_push(r, request_id, outcome);

	/* What it said before is with the store, and this is newer. */
	if (p && wait_is_answered(p))
		p = NULL;
	log_status(r, outcome, reason);
	if (answers_update(r, request_id))
		on_update_answer(s->fleet, r, outcome, reason);
	else if (p)
		on_push_answer(s->fleet, p, r, outcome, reason);
	else if (outcome == FLEET_ACTIVATED)
		model_set_state_later(s->fleet, r, FLEET_ACTIVE, NULL);
	else
		model_set_state_later(s->fleet, r, FLEET_FAILED, reason);
}

void answer_on_session_end(struct fleet *f, struct fleet_client *c)
{
	struct fleet_rule *r;

	TAILQ_FOREACH (r, &c->rules, of_client) {
		r->in_doubt |= r->next != NULL;
		if (r->push && !wait_is_answered(r->push))
			wait_cancel(r->push, 504, "ack_timeout",
				    r->next ? "the edge's session ended before it answered; the "
					      "change is sent again when it reconnects"
					    : "the edge's session ended before it answered; the "
					      "rule stays pending and is sent again when it "
					      "reconnects");
	}
}

void answer_drop_rule(struct fleet *f, struct fleet_rule *r)
{
	if (r->push)
		wait_cancel(r->push, 409, "rule_removed", "the rule was removed meanwhile");
	model_news(r, FLEET_GONE);
	model_rule_remove(f, r);
}
