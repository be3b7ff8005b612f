// SPDX-License-Identifier: MIT
/* The fleet as a whole: its making and end, and who hears what a session says. */
#include "server/fleet/fleet.h"

#include <stdlib.h>

#include "server/fleet/answer.h"
#include "server/fleet/flows.h"
#include "server/fleet/flush.h"
#include "server/fleet/health_history.h"
#include "server/fleet/history.h"
#include "server/fleet/owner.h"
#include "server/fleet/renewal.h"

static void session_ended(struct session *s)
{
	answer_on_session_end(s->fleet, s->client);
	stats_on_session_end(s);
	flows_on_session_end(s);
	renewal_on_session_end(s->fleet->renewal, s);
}

static void greeted(struct session *s)
{
	renewal_on_greeted(s->fleet->renewal, s);
}

static void credential_stored(struct session *s, uint64_t serial, const char *error)
{
	renewal_on_ack(s->fleet->renewal, s, serial, error);
}

static const struct session_events events = {
	.status = answer_on_status,
	.report = stats_on_report,
	.greeted = greeted,
	.credential = credential_stored,
	.ended = session_ended,
	.flows = flows_on_list,
};

struct session *fleet_session_begin(struct fleet *f, struct fleet_client *c,
				    const struct fleet_link_ops *ops, void *link,
				    const char *remote_addr)
{
	struct session *s = session_begin(f, c, ops, link, remote_addr);

	if (s)
		s->events = &events;
	return s;
}

struct fleet *fleet_new(struct event_base *base, struct store *store)
{
	struct fleet *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->base = base;
	f->store = store;
	f->range_ports_max = FLEET_RANGE_PORTS_MAX;
	f->changes = changes_new();
	f->history = history_new(base, store);
	if (!f->changes || !f->history || model_flush_start(f)) {
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
			session_drop(f->clients[i]->session, "shutdown");
	if (f->flush_timer)
		model_flush(f);
	model_flush_stop(f);
	while (f->n_rules)
		answer_drop_rule(f, f->rules[f->n_rules - 1]);
	for (size_t i = 0; i < f->n_clients; i++) {
		owner_drop_all(f->clients[i]);
		model_client_free(f->clients[i]);
	}
	changes_free(f->changes);
	history_free(f->history);
	free(f->clients);
	free(f->rules);
	free(f);
}

void fleet_limit_ranges(struct fleet *f, unsigned most)
{
	f->range_ports_max = most;
}

bool fleet_history_flush(struct fleet *f, store_done done, void *arg)
{
	return history_flush(f->history, done, arg);
}
