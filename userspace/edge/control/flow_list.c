// SPDX-License-Identifier: MIT
/* The flows of a UDP rule for the server that asked: gathered from the workers, sent in one message. */
#include "edge/control/flow_list.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "edge/loop/mailbox.h"
#include "edge/target/target.h"
#include "edge/watch/flows.h"
#include "edge/worker/worker.h"

/* One answer under way. */
struct asked_list {
	TAILQ_ENTRY(asked_list) entry;
	struct flow_lists *owner;
	uint64_t request_id;
	unsigned worker; /* that is being asked */
	bool stale;	 /* the session that asked is over */
	struct flow_rows rows;
};

struct flow_lists {
	struct flow_list_config config;
	struct mailbox mailbox; /* from the workers */
	struct event *mail;
	TAILQ_HEAD(, asked_list) all;
	unsigned n;
};

static void list_free(struct asked_list *l)
{
	TAILQ_REMOVE(&l->owner->all, l, entry);
	l->owner->n--;
	flow_rows_clear(&l->rows);
	free(l);
}

/* What a row's texts need, beside the message. */
struct row_texts {
	char client[ADDR_TEXT_MAX], target[300];
};

static void set_row(Portunus__V1__FlowRow *m, struct row_texts *texts, const struct flow_row *row)
{
	portunus__v1__flow_row__init(m);
	m->client = addr_text(&row->client, texts->client, sizeof(texts->client));
	if (row->target)
		snprintf(texts->target, sizeof(texts->target), "%s:%u", row->target->host,
			 row->target->port);
	m->target = texts->target;
	m->listen_port = row->listen_port;
	m->age_ms = row->age_ms;
	m->idle_ms = row->idle_ms;
	m->datagrams_in = row->datagrams_in;
	m->datagrams_out = row->datagrams_out;
	m->bytes_in = row->bytes_in;
	m->bytes_out = row->bytes_out;
}

static void send_list(struct asked_list *l)
{
	Portunus__V1__FlowList m = PORTUNUS__V1__FLOW_LIST__INIT;
	size_t n = l->rows.n + 1;
	Portunus__V1__FlowRow *rows = calloc(n, sizeof(*rows)), **list = calloc(n, sizeof(*list));
	struct row_texts *texts = calloc(n, sizeof(*texts));

	/* Without memory whoever waits meets the time-out. */
	if (rows && list && texts) {
		for (unsigned i = 0; i < l->rows.n; i++) {
			set_row(&rows[i], &texts[i], &l->rows.row[i]);
			list[i] = &rows[i];
		}
		m.request_id = l->request_id;
		m.n_rows = l->rows.n;
		m.rows = list;
		m.more = l->rows.more;
		l->owner->config.send(l->owner->config.arg, &m);
	}
	free(rows);
	free(list);
	free(texts);
}

static void on_arrived(struct flow_rows *rows)
{
	struct asked_list *l = rows->arg;
	const struct flow_list_config *config = &l->owner->config;

	if (!l->stale && !rows->more && ++l->worker < config->n_workers) {
		rows->worker = &config->workers[l->worker];
		flow_rows_fetch(rows);
		return;
	}
	if (!l->stale)
		send_list(l);
	list_free(l);
}

void flow_list_answer(struct flow_lists *all, uint64_t request_id, uint64_t rule_id)
{
	struct asked_list *l = all->n < FLOW_LISTS_MAX ? calloc(1, sizeof(*l)) : NULL;

	if (!l)
		return;
	l->owner = all;
	l->request_id = request_id;
	l->rows.home = &all->mailbox;
	l->rows.worker = &all->config.workers[0];
	l->rows.arrived = on_arrived;
	l->rows.arg = l;
	l->rows.rule_id = rule_id;
	TAILQ_INSERT_TAIL(&all->all, l, entry);
	all->n++;
	flow_rows_fetch(&l->rows);
}

void flow_lists_end(struct flow_lists *all)
{
	struct asked_list *l;

	TAILQ_FOREACH (l, &all->all, entry)
		l->stale = true;
}

struct flow_lists *flow_lists_new(const struct flow_list_config *config)
{
	struct flow_lists *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->config = *config;
	TAILQ_INIT(&l->all);
	if (mailbox_init(&l->mailbox) < 0) {
		free(l);
		return NULL;
	}
	l->mail = mailbox_watch(&l->mailbox, config->base);
	if (l->mail)
		return l;
	mailbox_close(&l->mailbox);
	free(l);
	return NULL;
}

void flow_lists_free(struct flow_lists *all)
{
	struct asked_list *l;

	if (!all)
		return;
	/* What a worker has of it comes back before the place that it comes back to goes. */
	if (all->n)
		workers_barrier(all->config.workers, all->config.n_workers);
	event_free(all->mail);
	mailbox_close(&all->mailbox);
	while ((l = TAILQ_FIRST(&all->all)))
		list_free(l);
	free(all);
}
