// SPDX-License-Identifier: MIT
/* The drain time of a removed rule: its connections go on until it is over. */
#include "edge/rules/drain.h"

#include <event2/event.h>
#include <stdlib.h>

#include "edge/rules/jobs.h"
#include "edge/rules/table.h"
#include "edge/worker/worker.h"

/* A removed rule whose connections may go on for a while. Owned by the table's list. */
struct leaving {
	LIST_ENTRY(leaving) entry;
	struct rule_table *table;
	struct rule_totals *totals;
	struct event *over;
};

static void leaving_free(struct leaving *l)
{
	LIST_REMOVE(l, entry);
	event_free(l->over);
	totals_unref(l->totals);
	free(l);
}

static void on_over(evutil_socket_t fd, short what, void *arg)
{
	struct leaving *l = arg;

	atomic_store(&l->totals->over, true);
	for (unsigned i = 0; i < l->table->config.n_workers; i++)
		job_end_rule(&l->table->config.workers[i], totals_ref(l->totals));
	leaving_free(l);
}

void drain_begin(struct rule_table *t, struct rule_totals *totals)
{
	const uint32_t ms = t->config.drain_timeout_ms;
	const struct timeval in = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	struct leaving *l = totals_active(totals) ? calloc(1, sizeof(*l)) : NULL;

	if (!l) {
		atomic_store(&totals->over, true);
		totals_unref(totals);
		return;
	}
	l->table = t;
	l->totals = totals;
	LIST_INSERT_HEAD(&t->leaving, l, entry);
	l->over = evtimer_new(t->config.base, on_over, l);
	if (l->over && !evtimer_add(l->over, &in))
		return;
	LIST_REMOVE(l, entry);
	if (l->over)
		event_free(l->over);
	totals_unref(totals);
	free(l);
}

void drain_forget_all(struct rule_table *t)
{
	while (!LIST_EMPTY(&t->leaving))
		leaving_free(LIST_FIRST(&t->leaving));
}
