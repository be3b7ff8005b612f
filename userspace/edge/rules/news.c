// SPDX-License-Identifier: MIT
/* News between workers and the table: a target's health to the table, and that something changed to the workers. */
#include "edge/rules/news.h"

#include <errno.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "edge/conn/walk.h"
#include "edge/rules/jobs.h"
#include "edge/rules/table.h"
#include "edge/target/choose.h"
#include "edge/worker/worker.h"

/*
 * Tells one worker that something changed. It says no more than that, so changes that come before the
 * worker has looked are one: a thousand targets that fail together cost each worker one look.
 */
struct nudge {
	struct job job;
	struct worker *worker;
	atomic_bool posted;
};

static struct nudge *nudge_of(struct job *job)
{
	struct nudge *n = (struct nudge *)job;

	/* Before the worker looks: what changes from now on is told again. */
	atomic_store(&n->posted, false);
	return n;
}

static void run_changed(struct job *job)
{
	struct worker *w = nudge_of(job)->worker;

	conn_health_changed(&w->conns);
	permits_recheck(&w->conns.permits);
}

static void nudge_workers(struct rule_table *t)
{
	for (unsigned i = 0; i < t->config.n_workers; i++) {
		struct nudge *n = &t->nudges[i];

		if (!atomic_exchange(&n->posted, true))
			worker_post(n->worker, &n->job);
	}
}

void rule_news_caps_changed(struct rule_table *t)
{
	nudge_workers(t);
}

/* ---- from the workers ---- */

struct health_news {
	struct job job;
	struct rule_table *table;
	struct target *target;
	enum health_state to;
};

/* The open connections and flows of a target that has failed, where the rule does not keep them. */
static void end_sessions(struct rule_table *t, struct target *target)
{
	for (unsigned i = 0; i < t->config.n_workers; i++)
		job_end_target(&t->config.workers[i], target_ref(target), END_TARGET_FAILED);
}

static void on_health_news(struct job *job)
{
	struct health_news *news = (struct health_news *)job;
	struct rule_table *t = news->table;
	struct rule_state *rs = NULL;

	if (!t->closing) {
		rs = rule_table_find(t, news->target->totals->rule_id);
		nudge_workers(t);
	}
	if (rs)
		service_settle(rs->service);
	if (rs && rs->service->rule->end_sessions && news->to == HEALTH_FAILED)
		end_sessions(t, news->target);
	if (rs && rs->service->totals == news->target->totals)
		t->config.health_changed(t->config.arg, rs, news->target, news->to);
	target_unref(news->target);
	free(news);
}

static void on_target_changed(void *arg, struct target *target, enum health_state to)
{
	struct health_news *news = malloc(sizeof(*news));
	struct rule_table *t = arg;

	/* Without memory the state is right all the same; the next report shows it. */
	if (!news)
		return;
	news->job.run = on_health_news;
	news->table = t;
	news->target = target_ref(target);
	news->to = to;
	mailbox_post(&t->mailbox, &news->job);
}

int rule_news_init(struct rule_table *t)
{
	int err;

	t->watch = (struct target_watch){.changed = on_target_changed,
					 .arg = t,
					 .n_workers = t->config.n_workers};
	t->nudges = calloc(t->config.n_workers, sizeof(*t->nudges));
	if (!t->nudges)
		return -ENOMEM;
	for (unsigned i = 0; i < t->config.n_workers; i++) {
		t->nudges[i].job.run = run_changed;
		t->nudges[i].worker = &t->config.workers[i];
	}
	err = mailbox_init(&t->mailbox);
	if (err)
		goto err_nudges;
	t->mail = mailbox_watch(&t->mailbox, t->config.base);
	if (t->mail)
		return 0;
	err = -ENOMEM;
	mailbox_close(&t->mailbox);
err_nudges:
	free(t->nudges);
	return err;
}

void rule_news_close(struct rule_table *t)
{
	event_free(t->mail);
	mailbox_close(&t->mailbox);
	free(t->nudges);
}
