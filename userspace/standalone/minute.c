// SPDX-License-Identifier: MIT
/* Each minute a log line for each rule. */
#include "standalone/minute.h"

#include <event2/event.h>
#include <stdlib.h>

#include "edge/rules/table.h"
#include "edge/watch/report.h"
#include "lib/base/log.h"
#include "standalone/config.h"
#include "standalone/feed.h"

#define LINES_AT_A_TIME 32

static const struct timeval minute = {.tv_sec = 60};

/* Main thread. */
struct minute {
	struct feed_parts parts;
	const struct config *config;
	struct event *tick, *turn;
	size_t next;
};

static void say(const struct minute *m, const struct config_rule *as)
{
	const struct rule_state *rs = rule_table_find(m->parts.table, as->id);
	struct rule_report r;

	if (!rs)
		return;
	report_rule(m->parts.account, rs, &r);
	log_event(LOG_INFO, "standalone.stats", LOGF_UINT("rule", as->id),
		  LOGF_STR("name", as->name), LOGF_UINT("bytes_in", r.bytes_in),
		  LOGF_UINT("bytes_out", r.bytes_out), LOGF_UINT("connections", r.active),
		  LOGF_UINT("connections_total", r.accepted),
		  LOGF_UINT("datagrams_in", r.datagrams_in),
		  LOGF_UINT("datagrams_out", r.datagrams_out), LOGF_UINT("flows", r.flows));
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct minute *m = arg;

	for (size_t i = 0; i < LINES_AT_A_TIME && m->next < m->config->n; i++)
		say(m, &m->config->names[m->next++]);
	if (m->next < m->config->n)
		event_active(m->turn, EV_TIMEOUT, 0);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct minute *m = arg;

	if (!log_enabled(LOG_INFO))
		return;
	m->next = 0;
	event_active(m->turn, EV_TIMEOUT, 0);
}

void minute_reconfigure(struct minute *m, const struct config *config)
{
	m->config = config;
	m->next = config->n; /* a minute later again */
}

void minute_free(struct minute *m)
{
	if (!m)
		return;
	if (m->tick)
		event_free(m->tick);
	if (m->turn)
		event_free(m->turn);
	free(m);
}

struct minute *minute_new(const struct feed_parts *parts, const struct config *config)
{
	struct minute *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->parts = *parts;
	m->config = config;
	m->tick = event_new(parts->base, -1, EV_PERSIST, on_tick, m);
	m->turn = event_new(parts->base, -1, 0, on_turn, m);
	if (m->tick && m->turn && !event_add(m->tick, &minute))
		return m;
	minute_free(m);
	return NULL;
}
