// SPDX-License-Identifier: MIT
/* What edges report: the last figures of each rule, the exported counters, who waits for figures. */
#include "server/fleet/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "lib/base/addr.h"
#include "lib/base/clock.h"
#include "lib/rule/span.h"
#include "server/fleet/health_history.h"
#include "server/fleet/history.h"

#define STATS_IDS_MAX 64 /* beyond it, all rules are asked for */

/* Somebody who waits for figures of a rule that are no older than the question. */
struct refresh {
	TAILQ_ENTRY(refresh) entry;
	struct session *session;
	struct event *timeout;
	uint64_t rule_id, serial;
	bool per_port;
	void (*done)(void *arg, struct fleet_rule *r);
	void *arg;
};

/*
 * Carries the counters on. In a new epoch the edge began again at zero, so all it counted since
 * is new; a value that fell within an epoch only sets the base anew.
 */
static void count(struct fleet_rule *r, uint64_t epoch, const struct rule_figures *fig)
{
	const uint64_t now[STORE_COUNTERS] = {
		[STORE_BYTES_IN] = fig->bytes_in,
		[STORE_BYTES_OUT] = fig->bytes_out,
		[STORE_DNS_FAILURES] = fig->dns_failures,
		[STORE_FAILOVERS] = fig->failovers,
	};
	struct store_counters *c = &r->counters;
	bool reset = c->epoch != epoch;

	for (int i = 0; i < STORE_COUNTERS && r->counted; i++) {
		if (reset)
			c->exported[i] += now[i];
		else if (now[i] > c->reported[i])
			c->exported[i] += now[i] - c->reported[i];
	}
	if (reset || memcmp(c->reported, now, sizeof(now)))
		r->counters_dirty = true;
	memcpy(c->reported, now, sizeof(now));
	c->epoch = epoch;
	r->counted = true;
}

static bool health_differs(const struct rule_figures *a, const struct rule_figures *b)
{
	if (!a || a->failovers != b->failovers || a->n_targets != b->n_targets)
		return a != NULL || b->failovers != 0;
	for (uint32_t i = 0; i < b->n_targets; i++)
		if (a->targets[i].failed != b->targets[i].failed)
			return true;
	return false;
}

static const struct target_figures *target_of(const struct rule_figures *fig, uint32_t index)
{
	for (uint32_t i = 0; fig && i < fig->n_targets; i++)
		if (fig->targets[i].index == index)
			return &fig->targets[i];
	return NULL;
}

/* Whether the timeline ends with that change already; rows of a rule may be other targets than they were. */
static bool is_known(const struct change *last, const struct change *change)
{
	return last && last->failed == change->failed && last->port == change->port &&
	       !strcmp(last->host, change->host);
}

/* One change of health into the timeline and the history. */
static void note_change(struct fleet *f, const struct fleet_rule *r, const struct change *change)
{
	const struct change *last = changes_last(f->changes, r->rule->id, change->index);
	char target[300], detail[80];

	/* A first report after this server's start repeats what is known already. */
	if (is_known(last, change) && !r->figures)
		return;
	changes_add(f->changes, change);
	endpoint_text(change->host, change->port, target, sizeof(target));
	snprintf(detail, sizeof(detail), "%u%s%s", change->index, *change->cause ? ": " : "",
		 change->cause);
	history_add(f->history,
		    &(struct store_event){
			    .at_ms = change->at_ms,
			    .kind = change->failed ? EVENT_TARGET_FAILED : EVENT_TARGET_RECOVERED,
			    .client_id = r->client->id,
			    .client = r->client->name,
			    .rule_id = r->rule->id,
			    .owner = r->rule->owner,
			    .target = target,
			    .detail = detail,
		    });
}

/* Remembers whose health differs from the last report, and in a first one who has failed. */
static void note_changes(struct fleet *f, struct fleet_rule *r, const struct rule_figures *fig)
{
	uint64_t now = clock_wall_ms();

	for (uint32_t i = 0; i < fig->n_targets && r->rule->n_targets > 1; i++) {
		struct change change;
		const struct target_figures *t = &fig->targets[i];
		const struct target_figures *was = target_of(r->figures, t->index);
		bool dated = t->health_since_ms && t->health_since_ms <= now;

		if (t->index >= r->rule->n_targets || t->failed == (was && was->failed))
			continue;
		change = (struct change){
			.at_ms = dated ? t->health_since_ms : now,
			.rule_id = r->rule->id,
			.index = t->index,
			.host = r->rule->targets[t->index].host,
			.port = r->rule->targets[t->index].port,
			.failed = t->failed,
		};
		if (t->failed)
			snprintf(change.cause, sizeof(change.cause), "%s", t->cause);
		note_change(f, r, &change);
	}
}

const struct changes *fleet_changes(const struct fleet *f)
{
	return f->changes;
}

/*
 * A copy of @fig, one row for each of @n_targets, with the rows of @last that it leaves out: existing edges do
 * that with a target whose lock was taken at that instant. @last may be NULL. The caller's to free; NULL for memory.
 */
static struct rule_figures *completed(const struct rule_figures *fig,
				      const struct rule_figures *last, unsigned n_targets)
{
	size_t room = fig->n_targets + (last ? last->n_targets : 0);
	struct rule_figures *copy = malloc(sizeof(*copy) + room * sizeof(copy->targets[0]));

	if (!copy)
		return NULL;
	memcpy(copy, fig, sizeof(*fig));
	copy->ports = NULL;
	copy->n_ports = 0;
	copy->n_targets = 0;
	/* An edge may say anything, and has other targets of a rule that changes before the server has. */
	for (uint32_t i = 0; i < fig->n_targets; i++)
		if (fig->targets[i].index < n_targets && !target_of(copy, fig->targets[i].index))
			copy->targets[copy->n_targets++] = fig->targets[i];
	for (uint32_t i = 0; last && i < last->n_targets; i++)
		if (last->targets[i].index < n_targets && !target_of(copy, last->targets[i].index))
			copy->targets[copy->n_targets++] = last->targets[i];
	return copy;
}

/* Where a target of a rule that was another is in the rule now, or -1. */
static int place_of(const struct rule *rule, const struct rule_target *t)
{
	for (unsigned i = 0; i < rule->n_targets; i++)
		if (rule->targets[i].port == t->port &&
		    rule_host_same(rule->targets[i].host, t->host))
			return (int)i;
	return -1;
}

static void keep_targets(struct rule_figures *fig, const struct rule *was, const struct rule *is)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < fig->n_targets; i++) {
		const struct target_figures *t = &fig->targets[i];
		int at = t->index < was->n_targets ? place_of(is, &was->targets[t->index]) : -1;

		if (at < 0)
			continue;
		fig->targets[n] = *t;
		fig->targets[n++].index = (uint32_t)at;
	}
	fig->n_targets = n;
}

void stats_on_change(struct fleet_rule *r, const struct rule *was)
{
	if (r->figures)
		keep_targets(r->figures, was, r->rule);
	if (span_equal(rule_span(r->rule), rule_span(was)))
		return;
	free(r->ports);
	r->ports = NULL;
	r->n_ports = 0;
}

/* Rows of another life of the edge are about other counters. */
static void take_ports(struct fleet_rule *r, const struct rule_figures *fig, bool same_life)
{
	struct port_figures *copy = NULL;

	if (fig->n_ports && rule_is_range(r->rule)) {
		copy = malloc(fig->n_ports * sizeof(*copy));
		if (!copy)
			return;
		memcpy(copy, fig->ports, fig->n_ports * sizeof(*copy));
	} else if (same_life) {
		return;
	}
	free(r->ports);
	r->ports = copy;
	r->n_ports = copy ? fig->n_ports : 0;
	r->ports_wall_ms = clock_wall_ms();
}

static void take_figures(struct session *s, uint64_t epoch, const struct rule_figures *msg)
{
	struct fleet_rule *r = fleet_rule(s->fleet, msg->rule_id);
	struct rule_figures *fig;
	bool health;

	/* A late report about a removed rule, or about somebody else's, counts for nothing. */
	if (!r || r->client != s->client)
		return;
	take_ports(r, msg, r->counters.epoch == epoch);
	/* Another epoch is another life of the edge, with another health. */
	fig = completed(msg, r->counters.epoch == epoch ? r->figures : NULL, r->rule->n_targets);
	if (!fig)
		return;
	health = health_differs(r->figures, fig);
	note_changes(s->fleet, r, fig);
	free(r->figures);
	r->figures = fig;
	r->report_mono_ns = clock_mono_ns();
	r->report_wall_ms = clock_wall_ms();
	count(r, epoch, fig);
	model_news(r, health ? FLEET_HEALTH_CHANGED : FLEET_REPORTED);
}

static void refresh_done(struct refresh *w)
{
	struct fleet_rule *r = fleet_rule(w->session->fleet, w->rule_id);

	TAILQ_REMOVE(&w->session->refreshes, w, entry);
	event_free(w->timeout);
	w->done(w->arg, r);
	free(w);
}

static bool reported(uint64_t id, const struct rule_figures *const *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rules[i]->rule_id == id)
			return true;
	return false;
}

/* Asks for what is waited for, not for all that an edge has. */
static void ask(struct session *s)
{
	uint64_t ids[STATS_IDS_MAX], serial = ++s->stats_sent;
	bool per_port = false;
	const struct refresh *w;
	size_t n = 0;

	TAILQ_FOREACH (w, &s->refreshes, entry) {
		size_t i = 0;

		per_port |= w->per_port;
		while (i < n && ids[i] != w->rule_id)
			i++;
		if (i < n)
			continue;
		if (n == STATS_IDS_MAX) {
			n = 0; /* all */
			break;
		}
		ids[n++] = w->rule_id;
	}
	outbox_send_stats_request(&s->out, serial, per_port, ids, n);
}

/* Asks once for everybody who came while the last question was out. */
static void ask_next(struct session *s)
{
	struct refresh *last = TAILQ_LAST(&s->refreshes, refresh_queue);

	if (last && last->serial > s->stats_sent)
		ask(s);
}

void stats_on_report(struct session *s, const struct fleet_report *report)
{
	struct refresh *w = TAILQ_FIRST(&s->refreshes), *next;
	uint64_t serial = report->serial;

	for (size_t i = 0; i < report->n; i++)
		take_figures(s, report->epoch, report->rules[i]);
	if (!serial)
		return;
	if (serial > s->stats_answered && serial <= s->stats_sent)
		s->stats_answered = serial;
	for (; w; w = next) {
		next = TAILQ_NEXT(w, entry);
		/* A large report comes in parts: wait for the one that has the rule. */
		if (w->serial <= serial && reported(w->rule_id, report->rules, report->n))
			refresh_done(w);
	}
	ask_next(s);
}

static void refresh_timed_out(evutil_socket_t fd, short what, void *arg)
{
	struct refresh *w = arg;
	struct session *s = w->session;

	/* An unanswered question must not hold up the next one. */
	if (w->serial > s->stats_answered && w->serial <= s->stats_sent)
		s->stats_answered = w->serial;
	refresh_done(w);
	ask_next(s);
}

void stats_on_session_end(struct session *s)
{
	struct refresh *w;

	while ((w = TAILQ_FIRST(&s->refreshes)))
		refresh_done(w);
}

void fleet_refresh(struct fleet *f, struct fleet_rule *r, bool per_port,
		   void (*done)(void *, struct fleet_rule *), void *arg)
{
	const struct timeval wait = {.tv_usec = FLEET_STATS_TIMEOUT_MS * 1000};
	struct session *s = r->client->session;
	struct refresh *w = NULL;

	if (fleet_is_connected(r->client) && s->stats_requests && r->state == FLEET_ACTIVE)
		w = calloc(1, sizeof(*w));
	if (w)
		w->timeout = evtimer_new(f->base, refresh_timed_out, w);
	if (!w || !w->timeout) {
		free(w);
		done(arg, r);
		return;
	}
	w->session = s;
	w->rule_id = r->rule->id;
	w->per_port = per_port;
	w->done = done;
	w->arg = arg;
	/* A question that is already out may have been answered before now. */
	w->serial = s->stats_sent + 1;
	event_add(w->timeout, &wait);
	TAILQ_INSERT_TAIL(&s->refreshes, w, entry);
	if (s->stats_answered == s->stats_sent)
		ask(s);
}

uint64_t fleet_report_age_ms(const struct fleet_rule *r)
{
	return r->figures ? (clock_mono_ns() - r->report_mono_ns) / NS_PER_MS : 0;
}

bool fleet_is_stale(const struct fleet_rule *r)
{
	return !r->figures || !fleet_is_connected(r->client) ||
	       fleet_report_age_ms(r) > FLEET_STALE_MS;
}
