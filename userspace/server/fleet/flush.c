// SPDX-License-Identifier: MIT
/* States and counters of rules, stored in batches. */
#include "server/fleet/flush.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/utf8.h"
#include "server/fleet/history.h"

#define FLUSH_ROWS     256
#define FLUSH_PAUSE_MS 10

/* Pending is no news: the rule waits for its edge, and what comes of that is. */
static void note_state(struct fleet *f, const struct fleet_rule *r, enum fleet_state was)
{
	if (r->state == was || r->state == FLEET_PENDING)
		return;
	model_note(f, r->state == FLEET_ACTIVE ? EVENT_RULE_ACTIVE : EVENT_RULE_FAILED, r->client,
		   r, r->reason);
}

static void set_state(struct fleet *f, struct fleet_rule *r, enum fleet_state state,
		      const char *reason, uint64_t now)
{
	enum fleet_state was = r->state;

	r->state = state;
	r->state_serial++;
	r->activated |= state == FLEET_ACTIVE;
	utf8_format(r->reason, sizeof(r->reason), "%s", reason);
	r->changed_ms = now;
	note_state(f, r, was);
}

/* A state that is with the store. */
struct change {
	struct fleet *f;
	uint64_t id, at_ms;
	unsigned serial; /* of the state before */
	enum fleet_state state;
	char reason[sizeof(((struct fleet_rule *)0)->reason)];
	fleet_rule_done done;
	void *arg;
};

static void on_state_stored(void *arg, int err)
{
	struct change *ch = arg;
	struct fleet_rule *r = fleet_rule(ch->f, ch->id);

	if (err)
		log_event(LOG_ERROR, "store.write_failed", LOGF_UINT("rule_id", ch->id),
			  LOGF_STR("error", store_message(ch->f->store)),
			  LOGF_STR("advice", store_advice(err)));
	else if (r && r->state_serial == ch->serial)
		set_state(ch->f, r, ch->state, ch->reason, ch->at_ms);
	else if (r)
		r->state_dirty = true; /* a newer word is to be the store's last one, too */
	ch->done(ch->arg, r, err);
	free(ch);
}

int model_set_state(struct fleet *f, struct fleet_rule *r, enum fleet_state state,
		    const char *reason, fleet_rule_done done, void *arg)
{
	struct change *ch = calloc(1, sizeof(*ch));
	struct store_tx *tx;
	int err;

	if (!ch)
		return -ENOMEM;
	*ch = (struct change){.f = f,
			      .id = r->rule->id,
			      .at_ms = clock_wall_ms(),
			      .serial = r->state_serial,
			      .state = state,
			      .done = done,
			      .arg = arg};
	utf8_format(ch->reason, sizeof(ch->reason), "%s", reason ? reason : "");
	tx = store_begin(f->store);
	store_rule_set_state(tx, ch->id, state, ch->reason, ch->at_ms);
	err = store_commit(tx, on_state_stored, ch);
	if (err)
		free(ch);
	return err;
}

void model_set_state_later(struct fleet *f, struct fleet_rule *r, enum fleet_state state,
			   const char *reason)
{
	const struct timeval soon = {.tv_usec = 50000};
	char cut[sizeof(r->reason)];

	utf8_format(cut, sizeof(cut), "%s", reason ? reason : "");
	if (r->state == state && !strcmp(r->reason, cut)) {
		r->state_serial++;
		return;
	}
	set_state(f, r, state, cut, clock_wall_ms());
	r->state_dirty = true;
	event_add(f->flush_timer, &soon);
}

/* Rules whose state or counters are with the store. */
struct batch {
	struct fleet *f;
	size_t n;
	struct {
		uint64_t id;
		bool state, counters;
	} rule[FLUSH_ROWS];
};

static void flush_in(struct fleet *f, bool soon)
{
	const struct timeval period = {.tv_sec = FLEET_COUNTERS_FLUSH_SEC};
	const struct timeval pause = {.tv_usec = FLUSH_PAUSE_MS * 1000};

	if (f->flush_timer)
		event_add(f->flush_timer, soon ? &pause : &period);
}

static void on_flushed(void *arg, int err)
{
	struct batch *b = arg;
	struct fleet *f = b->f;

	f->flushing = false;
	for (size_t i = 0; i < b->n && err; i++) {
		struct fleet_rule *r = fleet_rule(f, b->rule[i].id);

		if (!r)
			continue;
		r->state_dirty |= b->rule[i].state;
		r->counters_dirty |= b->rule[i].counters;
	}
	if (err)
		log_event(LOG_ERROR, "store.flush_failed",
			  LOGF_STR("error", store_message(f->store)),
			  LOGF_STR("advice", store_advice(err)));
	flush_in(f, !err && b->n == FLUSH_ROWS);
	free(b);
}

static void flush_rule(struct batch *b, struct fleet_rule *r, struct store_tx *tx)
{
	b->rule[b->n].id = r->rule->id;
	b->rule[b->n].state = r->state_dirty;
	b->rule[b->n++].counters = r->counters_dirty;
	if (r->state_dirty)
		store_rule_set_state(tx, r->rule->id, r->state, r->reason, r->changed_ms);
	if (r->counters_dirty)
		store_counters_put(tx, &r->counters);
	r->state_dirty = r->counters_dirty = false;
}

/*
 * Gives the store the next rules that need it, FLUSH_ROWS at most: ten thousand in one transaction would
 * hold up everybody for 60 ms. They take turns, so that none waits for ever. Returns how many.
 */
static size_t flush_some(struct fleet *f)
{
	struct batch *b = calloc(1, sizeof(*b));
	size_t first = f->flush_next, n;
	struct store_tx *tx;
	int err;

	if (!b)
		return 0;
	b->f = f;
	tx = store_begin(f->store);
	for (size_t i = 0; i < f->n_rules && b->n < FLUSH_ROWS; i++) {
		struct fleet_rule *r = f->rules[(first + i) % f->n_rules];

		if (r->state_dirty || r->counters_dirty)
			flush_rule(b, r, tx);
		f->flush_next = (first + i + 1) % f->n_rules;
	}
	n = b->n;
	if (!n) {
		store_drop(tx);
		free(b);
		return 0;
	}
	f->flushing = true;
	err = store_commit(tx, on_flushed, b);
	if (err)
		on_flushed(b, err);
	return err ? 0 : n;
}

void model_flush(struct fleet *f)
{
	while (flush_some(f) == FLUSH_ROWS)
		;
	store_settle(f->store);
}

static void flush_due(evutil_socket_t fd, short what, void *arg)
{
	struct fleet *f = arg;

	/* The end of the batch that is under way sets the timer as well. */
	if (f->flushing || !flush_some(f))
		flush_in(f, false);
}

int model_flush_start(struct fleet *f)
{
	const struct timeval period = {.tv_sec = FLEET_COUNTERS_FLUSH_SEC};

	f->flush_timer = evtimer_new(f->base, flush_due, f);
	return !f->flush_timer || event_add(f->flush_timer, &period) ? -ENOMEM : 0;
}

void model_flush_stop(struct fleet *f)
{
	if (f->flush_timer)
		event_free(f->flush_timer);
	f->flush_timer = NULL;
}
