// SPDX-License-Identifier: MIT
/* Requests of the main thread to the workers: one small job each, run on the worker's thread. */
#include "edge/apply_jobs.h"

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "edge/apply.h"
#include "edge/listener.h"
#include "edge/worker.h"
#include "lib/log.h"

struct request {
	struct job job;
	struct worker *worker;
	struct listener **where;
	struct service *service;
	struct target *target;
	struct rule_totals *totals;
	uint64_t expected_slot;
	int fd;
};

static bool post(const struct request *r, void (*run)(struct job *))
{
	struct request *copy = malloc(sizeof(*copy));

	if (!copy) {
		log_event(LOG_ERROR, "worker.request_lost", LOGF_STR("error", "out of memory"));
		return false;
	}
	*copy = *r;
	copy->job.run = run;
	worker_post(copy->worker, &copy->job);
	return true;
}

static void run_listen(struct job *job)
{
	struct request *r = (struct request *)job;

	*r->where = listener_new(r->worker, r->fd, r->service, r->expected_slot);
	free(r);
}

void job_listen(struct worker *w, struct listener **where, int fd, struct service *service,
		uint64_t expected_slot)
{
	struct request r = {.worker = w,
			    .where = where,
			    .fd = fd,
			    .service = service,
			    .expected_slot = expected_slot};

	if (!post(&r, run_listen)) {
		close(fd);
		service_unref(service);
	}
}

static void run_unlisten(struct job *job)
{
	struct request *r = (struct request *)job;

	if (*r->where)
		listener_close(*r->where);
	*r->where = NULL;
	free(r);
}

void job_unlisten(struct worker *w, struct listener **where)
{
	struct request r = {.worker = w, .where = where};

	post(&r, run_unlisten);
}

static void run_set_service(struct job *job)
{
	struct request *r = (struct request *)job;

	if (*r->where)
		listener_set_service(*r->where, r->service);
	else
		service_unref(r->service);
	free(r);
}

void job_set_service(struct worker *w, struct listener **where, struct service *service)
{
	struct request r = {.worker = w, .where = where, .service = service};

	if (!post(&r, run_set_service))
		service_unref(service);
}

static void run_health_changed(struct job *job)
{
	struct request *r = (struct request *)job;

	conn_health_changed(&r->worker->conns);
	free(r);
}

void job_health_changed(struct worker *w)
{
	post(&(struct request){.worker = w}, run_health_changed);
}

static void run_names_ready(struct job *job)
{
	struct request *r = (struct request *)job;

	upstream_names_ready(&r->worker->conns.upstream);
	free(r);
}

void job_names_ready(struct worker *w)
{
	post(&(struct request){.worker = w}, run_names_ready);
}

static bool has_target(const struct conn_view *v, const void *arg)
{
	return v->target == arg;
}

static void run_end_target(struct job *job)
{
	struct request *r = (struct request *)job;

	conn_end_matching(&r->worker->conns, END_KILLED, has_target, r->target);
	target_unref(r->target);
	free(r);
}

void job_end_target(struct worker *w, struct target *t)
{
	struct request r = {.worker = w, .target = t};

	if (!post(&r, run_end_target))
		target_unref(t);
}

static bool any(const struct conn_view *v, const void *arg)
{
	return true;
}

static void run_end_all(struct job *job)
{
	struct request *r = (struct request *)job;

	conn_end_matching(&r->worker->conns, END_DRAINED, any, NULL);
	free(r);
}

void job_end_all(struct worker *w)
{
	post(&(struct request){.worker = w}, run_end_all);
}

static bool has_totals(const struct conn_view *v, const void *arg)
{
	return v->service->totals == arg;
}

static void run_end_rule(struct job *job)
{
	struct request *r = (struct request *)job;

	conn_end_matching(&r->worker->conns, END_DRAINED, has_totals, r->totals);
	totals_unref(r->totals);
	free(r);
}

/* A removed rule whose connections may go on for a while. */
struct leaving {
	struct leaving *next, **prev;
	const struct edge_config *config;
	struct rule_totals *totals;
	struct event *over;
};

static void leaving_free(struct leaving *l)
{
	*l->prev = l->next;
	if (l->next)
		l->next->prev = l->prev;
	event_free(l->over);
	totals_unref(l->totals);
	free(l);
}

static void drain_over(evutil_socket_t fd, short what, void *arg)
{
	struct leaving *l = arg;

	for (unsigned i = 0; i < l->config->n_workers; i++) {
		struct request r = {.worker = &l->config->workers[i],
				    .totals = totals_ref(l->totals)};

		if (!post(&r, run_end_rule))
			totals_unref(l->totals);
	}
	leaving_free(l);
}

void cut_after_drain(struct leaving **all, const struct edge_config *config,
		     struct rule_totals *totals)
{
	const uint32_t ms = config->drain_timeout_ms;
	struct timeval in = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	struct leaving *l = atomic_load(&totals->active) ? malloc(sizeof(*l)) : NULL;

	if (l)
		*l = (struct leaving){.config = config,
				      .totals = totals,
				      .next = *all,
				      .prev = all};
	if (l)
		l->over = evtimer_new(config->base, drain_over, l);
	if (!l || !l->over || evtimer_add(l->over, &in) < 0) {
		if (l && l->over)
			event_free(l->over);
		free(l);
		totals_unref(totals);
		return;
	}
	if (l->next)
		l->next->prev = &l->next;
	*all = l;
}

void drains_forget(struct leaving **all)
{
	while (*all)
		leaving_free(*all);
}
