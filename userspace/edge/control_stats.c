// SPDX-License-Identifier: MIT
/* Reports to the server: periodic ones, answers, changes of health; refreshed, and sent in pieces. */
#include "edge/control_stats.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "edge/account.h"
#include "edge/apply.h"
#include "edge/control_report.h"
#include "edge/refresh.h"
#include "edge/report.h"
#include "lib/log.h"

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
	uint64_t *ids;
	size_t n, at;
};

struct stats_sender {
	struct stats_config config;
	struct event *periodic, *health, *turn;
	struct report_message *message;
	TAILQ_HEAD(stats_jobs, stats_job) jobs;
	uint64_t epoch;
	uint64_t *changed; /* rules whose health has changed */
	size_t n_changed, room;
	bool active;  /* there is a session */
	bool blocked; /* the stream has no room */
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
		j->ids = calloc((n ? n : edge_rules(s->config.edge)) + 1, sizeof(*ids));
	if (!j || !j->ids) {
		free(j);
		return NULL;
	}
	j->owner = s;
	j->n = n;
	if (n)
		memcpy(j->ids, ids, n * sizeof(*ids));
	else
		edge_each(s->config.edge, add_id, j);
	TAILQ_INSERT_TAIL(&s->jobs, j, entry);
	return j;
}

/* The next to send of: an answer, which somebody waits for, before the others. */
static struct stats_job *next_job(struct stats_sender *s)
{
	struct stats_job *j, *other = NULL;

	TAILQ_FOREACH(j, &s->jobs, entry)
	{
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

static void add_rule(struct stats_sender *s, struct rule_state *rs)
{
	struct account *a = s->config.account;
	struct account_record unassigned;
	struct rule_report report;
	bool has = rs->unassigned_slot && account_read(a, rs->unassigned_slot, &unassigned) == 0;

	report_rule(a, rs, &report);
	report_message_add(s->message, &report, has ? &unassigned : NULL, account_mode(a));
}

/* Sends as much of a job as one message holds. 0: it is complete, 1: more is left; or -errno. */
static int send_piece(struct stats_sender *s, struct stats_job *j)
{
	size_t at = j->at;
	struct report_head head = {
		.request_id = j->request_id,
		.epoch = s->epoch,
		.mode = account_mode(s->config.account),
		.mode_reason = account_reason(s->config.account),
	};
	int err;

	report_message_clear(s->message);
	for (; at < j->n && report_message_rules(s->message) < REPORT_RULES; at++) {
		struct rule_state *rs = edge_find(s->config.edge, j->ids[at]);

		if (rs) /* else it was removed meanwhile, or the server asked for one we never had */
			add_rule(s, rs);
	}
	head.more = at < j->n;
	if (!report_message_rules(s->message) && !j->request_id)
		return 0;
	err = s->config.send(s->config.arg, report_message_get(s->message, &head));
	if (err)
		return err;
	j->at = at;
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
	struct stats_job *j = (struct stats_job *)((char *)r - offsetof(struct stats_job, refresh));

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

	TAILQ_FOREACH(j, &s->jobs, entry)
	if (j->periodic)
		return true;
	return false;
}

/* Nothing is said while there are no rules; a report that is still under way is enough. */
void stats_report_now(struct stats_sender *s)
{
	struct stats_job *j;

	if (!s->active || !edge_rules(s->config.edge) || has_periodic(s))
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

void stats_answer(struct stats_sender *s, uint64_t request_id, const uint64_t *ids, size_t n)
{
	struct stats_job *j = s->active ? job_new(s, ids, n) : NULL;

	if (!j)
		return;
	j->request_id = request_id;
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

void stats_begin(struct stats_sender *s)
{
	struct timeval every = {.tv_sec = s->config.interval_secs};

	s->active = true;
	s->blocked = false;
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
