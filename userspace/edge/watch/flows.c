// SPDX-License-Identifier: MIT
/* The list of UDP flows, gathered worker by worker up to a bound. */
#include "edge/watch/flows.h"

#include "edge/flow/flow.h"
#include "edge/flow/port.h"
#include "edge/worker/worker.h"
#include "lib/base/clock.h"

static bool add(const struct flow *f, void *arg)
{
	struct flow_rows *rows = arg;
	uint64_t now = f->env->loop->now_ns;
	const struct rule *rule = f->service->rule;

	if (rows->rule_id && rows->rule_id != rule->id)
		return true;
	if (rows->n == FLOW_ROWS_MAX) {
		rows->more = true;
		return false;
	}
	rows->row[rows->n++] = (struct flow_row){
		.rule_id = rule->id,
		.listen_port = f->key.listen_port,
		.target = f->target ? target_ref(f->target) : NULL,
		.client = f->client,
		.age_ms = (now - f->opened_ns) / NS_PER_MS,
		.idle_ms = (now - f->active_ns) / NS_PER_MS,
		.datagrams_in = f->datagrams_in,
		.datagrams_out = f->datagrams_out,
		.bytes_in = f->bytes_in,
		.bytes_out = f->bytes_out,
	};
	return true;
}

static void on_arrived(struct job *job)
{
	struct flow_rows *rows = (struct flow_rows *)job;

	rows->arrived(rows);
}

/* On the worker's thread. */
static void on_fetch(struct job *job)
{
	struct flow_rows *rows = (struct flow_rows *)job;

	flow_each(&rows->worker->flows, add, rows);
	rows->job.run = on_arrived;
	mailbox_post(rows->home, &rows->job);
}

void flow_rows_fetch(struct flow_rows *rows)
{
	rows->job.run = on_fetch;
	worker_post(rows->worker, &rows->job);
}

void flow_rows_clear(struct flow_rows *rows)
{
	for (unsigned i = 0; i < rows->n; i++)
		target_unref(rows->row[i].target);
	rows->n = 0;
}
