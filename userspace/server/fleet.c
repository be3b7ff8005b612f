// SPDX-License-Identifier: MIT
/* The fleet in memory, as the store has it: loading, rules, and what is stored in batches. */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "server/fleet_internal.h"

#define FLUSH_ROWS     256
#define FLUSH_PAUSE_MS 10

void fleet_error_set(struct fleet_error *err, int status, const char *code, const char *fmt, ...)
{
	va_list ap;

	memset(err, 0, sizeof(*err));
	err->e.status = status;
	snprintf(err->e.code, sizeof(err->e.code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(err->e.message, sizeof(err->e.message), fmt, ap);
	va_end(ap);
}

/* The first index whose id is not below @id. */
static size_t rule_at(const struct fleet *f, uint64_t id)
{
	size_t lo = 0, hi = f->n_rules;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (f->rules[mid]->rule->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Makes room for one more pointer in a sorted array. */
int fleet_grow(void **array, size_t n, size_t *room)
{
	void *bigger;

	if (n < *room)
		return 0;
	bigger = reallocarray(*array, *room ? *room * 2 : 16, sizeof(void *));
	if (!bigger)
		return -ENOMEM;
	*array = bigger;
	*room = *room ? *room * 2 : 16;
	return 0;
}

struct fleet_rule *fleet_rule(struct fleet *f, uint64_t id)
{
	size_t i = rule_at(f, id);

	return i < f->n_rules && f->rules[i]->rule->id == id ? f->rules[i] : NULL;
}

struct fleet_rule *const *fleet_rules(const struct fleet *f, size_t *n)
{
	*n = f->n_rules;
	return f->rules;
}

int fleet_index_rule(struct fleet *f, struct fleet_rule *r)
{
	size_t i = rule_at(f, r->rule->id);

	if (fleet_grow((void **)&f->rules, f->n_rules, &f->rules_room))
		return -ENOMEM;
	memmove(&f->rules[i + 1], &f->rules[i], (f->n_rules - i) * sizeof(f->rules[0]));
	f->rules[i] = r;
	f->n_rules++;
	/* Ids only grow, and the store gives them in order. */
	TAILQ_INSERT_TAIL(&r->client->rules, r, of_client);
	return 0;
}

static void rule_entry_free(struct fleet_rule *r)
{
	rule_free(r->rule);
	free(r->figures);
	free(r);
}

void fleet_drop_rule(struct fleet *f, struct fleet_rule *r)
{
	size_t i = rule_at(f, r->rule->id);

	if (r->push)
		fleet_push_cancel(r->push, 409, "rule_removed", "the rule was removed meanwhile");
	fleet_news(r, FLEET_GONE);
	memmove(&f->rules[i], &f->rules[i + 1], (f->n_rules - i - 1) * sizeof(f->rules[0]));
	f->n_rules--;
	TAILQ_REMOVE(&r->client->rules, r, of_client);
	rule_entry_free(r);
}

struct load {
	struct fleet *f;
	int err;
};

static void load_client(void *arg, const struct store_client *row)
{
	struct load *l = arg;
	struct fleet_client *c = fleet_client_new(row);

	if (!c || fleet_index_client(l->f, c)) {
		if (c)
			fleet_client_free(c);
		l->err = -ENOMEM;
	}
}

static struct rule *rule_from_row(const struct store_rule *row)
{
	struct rule_error why;
	json_t *spec = json_loads(row->spec, 0, NULL);
	struct rule *rule = spec ? rule_parse(spec, &why) : NULL;

	json_decref(spec);
	if (!rule)
		return NULL;
	rule->id = row->id;
	free(rule->owner);
	rule->owner = strdup(row->owner);
	return rule;
}

static void load_rule(void *arg, const struct store_rule *row)
{
	struct load *l = arg;
	struct fleet_client *c = fleet_client(l->f, row->client_id);
	struct fleet_rule *r = calloc(1, sizeof(*r));

	if (r)
		r->rule = rule_from_row(row);
	if (!r || !r->rule || !r->rule->owner || !c) {
		/* One unreadable row must not keep a thousand good ones from their edges. */
		log_event(LOG_ERROR, "store.rule_unreadable", LOGF_UINT("rule_id", row->id),
			  LOGF_STR("client_id", row->client_id));
		if (r)
			rule_entry_free(r);
		return;
	}
	r->client = c;
	r->state = row->state;
	r->activated = r->state == FLEET_ACTIVE;
	snprintf(r->reason, sizeof(r->reason), "%s", row->reason);
	r->created_ms = row->created_ms;
	r->changed_ms = row->changed_ms;
	r->counters.rule_id = row->id;
	if (fleet_index_rule(l->f, r)) {
		rule_entry_free(r);
		l->err = -ENOMEM;
	}
}

static void load_counters(void *arg, const struct store_counters *row)
{
	struct load *l = arg;
	struct fleet_rule *r = fleet_rule(l->f, row->rule_id);

	if (!r)
		return;
	r->counters = *row;
	r->counted = true;
}

int fleet_load(struct fleet *f)
{
	struct load l = {.f = f};
	int err = store_clients(f->store, load_client, &l);

	if (!err && !l.err)
		err = store_rules(f->store, load_rule, &l);
	if (!err && !l.err)
		err = store_counters(f->store, load_counters, &l);
	return err ? err : l.err;
}

int fleet_set_state(struct fleet *f, struct fleet_rule *r, enum fleet_state state,
		    const char *reason)
{
	uint64_t now = clock_wall_ms();
	int err = store_rule_set_state(f->store, r->rule->id, state, reason, now);

	if (err) {
		log_event(LOG_ERROR, "store.write_failed", LOGF_UINT("rule_id", r->rule->id),
			  LOGF_STR("error", store_message(f->store)),
			  LOGF_STR("advice", store_advice(err)));
		return err;
	}
	r->state = state;
	r->activated |= state == FLEET_ACTIVE;
	snprintf(r->reason, sizeof(r->reason), "%s", reason ? reason : "");
	r->changed_ms = now;
	r->state_dirty = false;
	return 0;
}

void fleet_set_state_later(struct fleet *f, struct fleet_rule *r, enum fleet_state state,
			   const char *reason)
{
	const struct timeval soon = {.tv_usec = 50000};

	if (r->state == state && !strcmp(r->reason, reason ? reason : ""))
		return;
	r->state = state;
	r->activated |= state == FLEET_ACTIVE;
	snprintf(r->reason, sizeof(r->reason), "%s", reason ? reason : "");
	r->changed_ms = clock_wall_ms();
	r->state_dirty = true;
	event_add(f->flush_timer, &soon);
}

static int flush_rule(struct fleet *f, struct fleet_rule *r)
{
	int err = 0;

	if (r->state_dirty)
		err = store_rule_set_state(f->store, r->rule->id, r->state, r->reason,
					   r->changed_ms);
	if (!err && r->counters_dirty)
		err = store_counters_put(f->store, &r->counters);
	/* A rule without a counters row: its baseline has been set in memory. */
	return err == -ENOENT ? 0 : err;
}

/*
 * Writes the next rules that need it, FLUSH_ROWS at most: ten thousand in one transaction would hold
 * up everybody for 60 ms. They take turns, so that none waits for ever. Returns how many were
 * written; 0 also when the store refused.
 */
static size_t flush_some(struct fleet *f)
{
	struct fleet_rule *batch[FLUSH_ROWS];
	size_t n = 0, first = f->flush_next;
	int err;

	for (size_t i = 0; i < f->n_rules && n < FLUSH_ROWS; i++) {
		struct fleet_rule *r = f->rules[(first + i) % f->n_rules];

		if (r->state_dirty || r->counters_dirty)
			batch[n++] = r;
		f->flush_next = (first + i + 1) % f->n_rules;
	}
	if (!n)
		return 0;
	err = store_begin(f->store);
	for (size_t i = 0; i < n && !err; i++)
		err = flush_rule(f, batch[i]);
	if (!err)
		err = store_commit(f->store);
	else
		store_rollback(f->store);
	if (err) {
		log_event(LOG_ERROR, "store.flush_failed",
			  LOGF_STR("error", store_message(f->store)),
			  LOGF_STR("advice", store_advice(err)));
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		batch[i]->state_dirty = batch[i]->counters_dirty = false;
	return n;
}

void fleet_flush(struct fleet *f)
{
	while (flush_some(f) == FLUSH_ROWS)
		;
}

static void flush_due(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval period = {.tv_sec = FLEET_COUNTERS_FLUSH_SEC};
	const struct timeval soon = {.tv_usec = FLUSH_PAUSE_MS * 1000};
	struct fleet *f = arg;

	event_add(f->flush_timer, flush_some(f) == FLUSH_ROWS ? &soon : &period);
}

struct fleet *fleet_new(struct event_base *base, struct store *store)
{
	const struct timeval period = {.tv_sec = FLEET_COUNTERS_FLUSH_SEC};
	struct fleet *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->base = base;
	f->store = store;
	f->changes = changes_new();
	f->flush_timer = evtimer_new(base, flush_due, f);
	if (!f->changes || !f->flush_timer || event_add(f->flush_timer, &period)) {
		fleet_free(f);
		return NULL;
	}
	return f;
}

void fleet_free(struct fleet *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_clients; i++)
		if (f->clients[i]->session)
			fleet_session_drop(f->clients[i]->session, "shutdown");
	if (f->store)
		fleet_flush(f);
	while (f->n_rules)
		fleet_drop_rule(f, f->rules[f->n_rules - 1]);
	for (size_t i = 0; i < f->n_clients; i++)
		fleet_client_free(f->clients[i]);
	if (f->flush_timer)
		event_free(f->flush_timer);
	changes_free(f->changes);
	free(f->clients);
	free(f->rules);
	free(f);
}
