// SPDX-License-Identifier: MIT
/* Reports to the server: periodic ones, answers, changes of health; refreshed, and sent in pieces. */
#include "edge/control/stats.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "edge/account/account.h"
#include "edge/rules/sni.h"
#include "edge/rules/table.h"
#include "edge/control/report.h"
#include "edge/control/session.h"
#include "edge/watch/refresh.h"
#include "edge/watch/report.h"
#include "edge/worker/worker.h"
#include "lib/base/log.h"
#include "lib/base/container_of.h"

#define HEALTH_DELAY_MS 50

static const struct timeval health_delay = {.tv_usec = HEALTH_DELAY_MS * 1000};

/* One report on its way: the rules it is about, and how many of them were sent. */
struct stats_job {
	TAILQ_ENTRY(stats_job) entry;
	struct stats_sender *owner; /* NULL: the session it was for is over */
	struct refresh refresh;
	bool away; /* the refresher has it */
	bool periodic;
	uint64_t request_id;
	enum port_choice ports;
	uint64_t *ids;
	size_t n, at;
	bool whole;	  /* of all rules, and of their owners after them */
	size_t owners_at; /* how many of these were sent, or have nothing to tell */
};

struct stats_sender {
	struct stats_config config;
	struct event *periodic, *health, *turn;
	struct report_message *message;
	TAILQ_HEAD(stats_jobs, stats_job) jobs;
	uint64_t epoch;
	uint64_t *changed; /* rules whose health has changed */
	size_t n_changed, room;
	bool active;		 /* there is a session */
	bool blocked;		 /* the stream has no room */
	enum port_choice always; /* ports of which every report has rows */
};

/* ---- jobs ---- */

static void job_free(struct stats_job *j)
{
	free(j->ids);
	free(j);
}

/* Takes a job out. One that is with the refresher is freed when it comes back. */
static void job_drop(struct stats_job *j)
{
	TAILQ_REMOVE(&j->owner->jobs, j, entry);
	j->owner = NULL;
	if (!j->away)
		job_free(j);
}

static void add_id(struct rule_state *rs, void *arg)
{
	struct stats_job *j = arg;

	j->ids[j->n++] = rs->id;
}

/* A job about these rules, or about all when @n is 0. NULL for memory. */
static struct stats_job *job_new(struct stats_sender *s, const uint64_t *ids, size_t n)
{
	struct stats_job *j = calloc(1, sizeof(*j));

	if (j)
		j->ids = calloc((n ? n : rule_table_size(s->config.table)) + 1, sizeof(*ids));
	if (!j || !j->ids) {
		free(j);
		return NULL;
	}
	j->owner = s;
	j->ports = s->always;
	j->n = n;
	j->whole = !n;
	if (n)
		memcpy(j->ids, ids, n * sizeof(*ids));
	else
		rule_table_each(s->config.table, add_id, j);
	TAILQ_INSERT_TAIL(&s->jobs, j, entry);
	return j;
}

/* The next to send of: an answer, which somebody waits for, before the others. */
static struct stats_job *next_job(struct stats_sender *s)
{
	struct stats_job *j, *other = NULL;

	TAILQ_FOREACH (j, &s->jobs, entry) {
		if (j->away)
			continue;
		if (j->request_id)
			return j;
		if (!other)
			other = j;
	}
	return other;
}

/* ---- sending ---- */

static void go_on(struct stats_sender *s)
{
	if (s->active && !s->blocked && next_job(s))
		event_active(s->turn, EV_TIMEOUT, 0);
}

static void add_rule(struct stats_sender *s, struct rule_state *rs, enum port_choice ports)
{
	struct account *a = s->config.account;
	struct account_record unassigned;
	struct rule_report report;
	bool has = rs->unassigned_slot && account_read(a, rs->unassigned_slot, &unassigned) == 0;

	report_rule(a, rs, &report);
	if (report_message_add(s->message, &report, has ? &unassigned : NULL))
		report_message_add_ports(s->message, rs, ports);
}

/* What of the owners a message has room for. */
struct owner_walk {
	struct stats_sender *sender;
	size_t skip, done;
	bool full;
};

static void add_owner(struct owner *owner, void *arg)
{
	struct owner_walk *w = arg;
	struct envelope_figures f;
	bool tells;

	if (w->full || w->done++ < w->skip)
		return;
	envelope_read(owner->caps, &f);
	tells = owner->capped || f.refused[REFUSED_CONCURRENT] || f.refused[REFUSED_CONN_RATE] ||
		f.refused[REFUSED_FLOW_RATE] || f.throttled_us[ADMIT_IN] ||
		f.throttled_us[ADMIT_OUT];
	if (tells && !report_message_add_owner(w->sender->message, owner->id, &f)) {
		w->full = true;
		w->done--;
	}
}

/* Returns true when some are left for another message. */
static bool add_owners(struct stats_sender *s, struct stats_job *j, size_t *at)
{
	struct owner_walk w = {.sender = s, .skip = j->owners_at};

	owners_each(&s->config.table->owners, add_owner, &w);
	*at = w.done;
	return w.full;
}

static void add_sni_port(const struct sni_group_view *v, void *arg)
{
	report_message_add_sni(arg, v->port, &v->sums);
}

static uint64_t worker_stalls(const struct rule_table_config *c)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < c->n_workers; i++)
		n += atomic_load_explicit(&c->workers[i].stalls, memory_order_relaxed);
	return n;
}

/* Sends as much of a job as one message holds. 0: it is complete, 1: more is left; or -errno. */
static int send_piece(struct stats_sender *s, struct stats_job *j)
{
	size_t at = j->at, owners_at = j->owners_at;
	struct report_head head = {
		.request_id = j->request_id,
		.epoch = s->epoch,
		.mode = account_mode(s->config.account),
		.mode_reason = account_reason(s->config.account),
		.worker_stalls = worker_stalls(&s->config.table->config),
	};
	int err;

	report_message_clear(s->message);
	for (; at < j->n && report_message_rules(s->message) < REPORT_RULES &&
	       report_message_ports(s->message) < REPORT_PORTS;
	     at++) {
		struct rule_state *rs = rule_table_find(s->config.table, j->ids[at]);

		if (rs) /* else it was removed meanwhile, or the server asked for one we never had */
			add_rule(s, rs, j->ports);
	}
	head.more = at < j->n;
	if (j->whole && !head.more)
		head.more = add_owners(s, j, &owners_at);
	if (!report_message_rules(s->message) && !j->request_id)
		return 0;
	/* Once in a report, whichever rules it is about; changes of health say nothing of it. */
	if (!j->at && (j->periodic || j->request_id))
		sni_each(s->config.table, add_sni_port, s->message);
	err = s->config.send(s->config.arg, report_message_get(s->message, &head));
	if (err)
		return err;
	j->at = at;
	j->owners_at = owners_at;
	return head.more;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct stats_sender *s = arg;
	struct stats_job *j = s->active && !s->blocked ? next_job(s) : NULL;
	int rc = j ? send_piece(s, j) : 0;

	if (!j)
		return;
	if (rc == -EAGAIN) {
		s->blocked = true;
		return;
	}
	if (rc <= 0)
		job_drop(j);
	go_on(s);
}

static void on_refreshed(struct refresh *r)
{
	struct stats_job *j = container_of(r, struct stats_job, refresh);

	j->away = false;
	if (!j->owner) {
		job_free(j);
		return;
	}
	if (r->result)
		log_event(LOG_DEBUG, "control.refresh_failed",
			  LOGF_STR("error", strerror(-r->result)));
	go_on(j->owner);
}

static void refresh_and_send(struct stats_job *j)
{
	j->away = true;
	j->refresh.done = on_refreshed;
	refresher_ask(j->owner->config.refresher, &j->refresh);
}

void stats_drained(struct stats_sender *s)
{
	s->blocked = false;
	go_on(s);
}

/* ---- occasions ---- */

static bool has_periodic(const struct stats_sender *s)
{
	const struct stats_job *j;

	TAILQ_FOREACH (j, &s->jobs, entry)
		if (j->periodic)
			return true;
	return false;
}

/* Nothing is said while there are no rules; a report that is still under way is enough. */
void stats_report_now(struct stats_sender *s)
{
	struct stats_job *j;

	if (!s->active || !rule_table_size(s->config.table) || has_periodic(s))
		return;
	j = job_new(s, NULL, 0);
	if (!j)
		return;
	j->periodic = true;
	refresh_and_send(j);
}

static void on_periodic(evutil_socket_t fd, short what, void *arg)
{
	stats_report_now(arg);
}

void stats_answer(struct stats_sender *s, const struct stats_request *wanted)
{
	struct stats_job *j = s->active ? job_new(s, wanted->rule_ids, wanted->n) : NULL;

	if (!j)
		return;
	j->request_id = wanted->id;
	if (wanted->per_port && j->ports == PORTS_NONE)
		j->ports = PORTS_USED;
	refresh_and_send(j);
}

void stats_health_changed(struct stats_sender *s, uint64_t rule_id)
{
	if (!s->active || (s->n_changed && s->changed[s->n_changed - 1] == rule_id))
		return;
	if (s->n_changed == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		uint64_t *more = realloc(s->changed, room * sizeof(*more));

		if (!more) /* the next periodic report tells */
			return;
		s->changed = more;
		s->room = room;
	}
	s->changed[s->n_changed++] = rule_id;
	if (!evtimer_pending(s->health, NULL))
		evtimer_add(s->health, &health_delay);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The counters are those of the last refresh: news of health does not wait for another. */
static void on_health(evutil_socket_t fd, short what, void *arg)
{
	struct stats_sender *s = arg;
	size_t n = 0;

	qsort(s->changed, s->n_changed, sizeof(*s->changed), by_value);
	for (size_t i = 0; i < s->n_changed; i++)
		if (!n || s->changed[n - 1] != s->changed[i])
			s->changed[n++] = s->changed[i];
	s->n_changed = 0;
	if (n && job_new(s, s->changed, n))
		go_on(s);
}

/* ---- life ---- */

void stats_begin(struct stats_sender *s, bool asks)
{
	struct timeval every = {.tv_sec = s->config.interval_secs};

	s->active = true;
	s->blocked = false;
	/* An existing server asks for nothing, and gets a row for every port of a range. */
	s->always = asks ? PORTS_NONE : PORTS_ALL;
	event_add(s->periodic, &every);
}

void stats_end(struct stats_sender *s)
{
	struct stats_job *j;

	s->active = false;
	s->n_changed = 0;
	event_del(s->periodic);
	event_del(s->health);
	event_del(s->turn);
	while ((j = TAILQ_FIRST(&s->jobs)))
		job_drop(j);
}

struct stats_sender *stats_sender_new(const struct stats_config *config)
{
	struct stats_sender *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->config = *config;
	TAILQ_INIT(&s->jobs);
	s->epoch = account_epoch(config->account);
	s->message = report_message_new();
	s->periodic = event_new(config->base, -1, EV_PERSIST, on_periodic, s);
	s->health = evtimer_new(config->base, on_health, s);
	s->turn = evtimer_new(config->base, on_turn, s);
	if (s->message && s->periodic && s->health && s->turn)
		return s;
	stats_sender_free(s);
	return NULL;
}

void stats_sender_free(struct stats_sender *s)
{
	if (!s)
		return;
	if (s->periodic && s->health && s->turn)
		stats_end(s);
	if (s->periodic)
		event_free(s->periodic);
	if (s->health)
		event_free(s->health);
	if (s->turn)
		event_free(s->turn);
	report_message_free(s->message);
	free(s->changed);
	free(s);
}
