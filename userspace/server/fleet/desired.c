// SPDX-License-Identifier: MIT
/* Updates that wait for their edge. */
#include "server/fleet/desired.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "server/fleet/history.h"
#include "server/fleet/stats.h"

/* A change of a rule's update that is with the store. */
struct change {
	struct fleet *f;
	uint64_t id;
	struct rule *rule; /* the update: to be set, or a copy */
	char *spec;
	char request_id[FLEET_REQUEST_ID_SIZE];
	unsigned serial; /* of the update that is confirmed or dropped */
	uint64_t at_ms;
	void (*apply)(struct change *ch, struct fleet_rule *r);
	fleet_rule_done done;
	void *arg;
};

char *desired_spec(const struct rule *rule)
{
	json_t *o = rule_to_json(rule);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	return text;
}

static void change_free(struct change *ch)
{
	rule_free(ch->rule);
	free(ch->spec);
	free(ch);
}

/* @rule is taken when there is memory; NULL otherwise. */
static struct change *change_new(struct fleet *f, const struct fleet_rule *r, struct rule *rule,
				 void (*apply)(struct change *ch, struct fleet_rule *r),
				 fleet_rule_done done, void *arg)
{
	struct change *ch = calloc(1, sizeof(*ch));
	char *spec = rule ? desired_spec(rule) : NULL;

	if (!ch || !spec) {
		free(ch);
		free(spec);
		return NULL;
	}
	*ch = (struct change){.f = f,
			      .id = r->rule->id,
			      .rule = rule,
			      .spec = spec,
			      .serial = r->next_serial,
			      .at_ms = clock_wall_ms(),
			      .apply = apply,
			      .done = done,
			      .arg = arg};
	return ch;
}

static void on_stored(void *arg, int err)
{
	struct change *ch = arg;
	struct fleet_rule *r = fleet_rule(ch->f, ch->id);

	if (err && err != -ENOENT)
		log_event(LOG_ERROR, "store.write_failed", LOGF_UINT("rule_id", ch->id),
			  LOGF_STR("error", store_message(ch->f->store)),
			  LOGF_STR("advice", store_advice(err)));
	if (!err && r)
		ch->apply(ch, r);
	ch->done(ch->arg, r, err);
	change_free(ch);
}

static void apply_set(struct change *ch, struct fleet_rule *r)
{
	r->in_doubt |= r->next != NULL;
	rule_free(r->next);
	r->next = ch->rule;
	ch->rule = NULL;
	r->next_serial++;
	snprintf(r->next_id, sizeof(r->next_id), "%s", ch->request_id);
}

static void on_set(void *arg, int err)
{
	struct change *ch = arg;
	struct fleet_rule *r = fleet_rule(ch->f, ch->id);

	if (r)
		r->storing = NULL;
	on_stored(ch, err);
}

int desired_set(struct fleet *f, struct fleet_rule *r, struct rule *rule, const char *request_id,
		fleet_rule_done done, void *arg)
{
	struct change *ch = change_new(f, r, rule, apply_set, done, arg);
	struct store_tx *tx;
	int err;

	if (!ch)
		return -ENOMEM;
	snprintf(ch->request_id, sizeof(ch->request_id), "%s", request_id);
	tx = store_begin(f->store);
	store_rule_set_pending(tx, ch->id, ch->spec);
	err = store_commit(tx, on_set, ch);
	if (err) {
		ch->rule = NULL; /* the caller's still */
		change_free(ch);
		return err;
	}
	r->storing = rule;
	return 0;
}

static void forget_next(struct fleet_rule *r)
{
	rule_free(r->next);
	r->next = NULL;
}

static void apply_confirm(struct change *ch, struct fleet_rule *r)
{
	struct rule *was = r->rule;

	r->rule = ch->rule;
	ch->rule = NULL;
	stats_on_change(r, was);
	rule_free(was);
	r->state = FLEET_ACTIVE;
	r->state_serial++;
	r->activated = true;
	r->reason[0] = '\0';
	r->changed_ms = ch->at_ms;
	r->state_dirty = false;
	/* A newer update waits on. */
	if (!r->next || r->next_serial != ch->serial)
		return;
	forget_next(r);
	r->in_doubt = false;
	model_note(ch->f, EVENT_RULE_CHANGED, r->client, r, NULL);
}

int desired_confirm(struct fleet *f, struct fleet_rule *r, fleet_rule_done done, void *arg)
{
	struct rule *copy = rule_dup(r->next);
	struct change *ch = change_new(f, r, copy, apply_confirm, done, arg);
	struct store_tx *tx;
	int err;

	if (!ch) {
		rule_free(copy);
		return -ENOMEM;
	}
	tx = store_begin(f->store);
	store_rule_confirm(tx, ch->id, ch->spec, FLEET_ACTIVE, ch->at_ms);
	err = store_commit(tx, on_stored, ch);
	if (err)
		change_free(ch);
	return err;
}

static void apply_drop(struct change *ch, struct fleet_rule *r)
{
	if (r->next && r->next_serial == ch->serial)
		forget_next(r);
}

int desired_drop(struct fleet *f, struct fleet_rule *r, fleet_rule_done done, void *arg)
{
	struct rule *copy = rule_dup(r->next);
	struct change *ch = change_new(f, r, copy, apply_drop, done, arg);
	struct store_tx *tx;
	int err;

	if (!ch) {
		rule_free(copy);
		return -ENOMEM;
	}
	tx = store_begin(f->store);
	store_rule_drop_pending(tx, ch->id, ch->spec);
	err = store_commit(tx, on_stored, ch);
	if (err)
		change_free(ch);
	return err;
}
