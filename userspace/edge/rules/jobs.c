// SPDX-License-Identifier: MIT
/* Requests of the main thread to the workers: one small job each, run on the worker's thread. */
#include "edge/rules/jobs.h"

#include <stdlib.h>
#include <unistd.h>

#include "edge/conn/list.h"
#include "edge/conn/sni_table.h"
#include "edge/flow/port.h"
#include "edge/worker/bind.h"
#include "edge/worker/endpoint.h"
#include "edge/worker/worker.h"
#include "lib/base/log.h"

struct request {
	struct job job;
	struct worker *worker;
	struct endpoint *where, *from;
	struct service *service;
	struct sni_table *sni;
	struct listener_tag tag;
	struct target *target;
	struct rule_totals *totals;
	enum end_reason reason;
	struct listening listening;
	struct span keep;
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

	endpoint_add(r->where, r->worker, &r->listening, r->service, r->sni);
	free(r);
}

void job_listen(struct worker *w, struct endpoint *where, const struct listening *l,
		struct service *service, struct sni_table *sni)
{
	struct request r = {
		.worker = w, .where = where, .service = service, .sni = sni, .listening = *l};

	if (!post(&r, run_listen)) {
		close(l->fd);
		service_unref(service);
		sni_table_unref(sni);
	}
}

static void run_trim(struct job *job)
{
	struct request *r = (struct request *)job;

	endpoint_trim(r->where, r->keep);
	free(r);
}

void job_trim(struct worker *w, struct endpoint *where, struct span keep)
{
	struct request r = {.worker = w, .where = where, .keep = keep};

	post(&r, run_trim);
}

static void run_unlisten(struct job *job)
{
	struct request *r = (struct request *)job;

	endpoint_close(r->where);
	free(r);
}

void job_unlisten(struct worker *w, struct endpoint *where)
{
	struct request r = {.worker = w, .where = where};

	post(&r, run_unlisten);
}

static void run_set_service(struct job *job)
{
	struct request *r = (struct request *)job;

	endpoint_set_service(r->where, r->service);
	free(r);
}

void job_set_service(struct worker *w, struct endpoint *where, struct service *service)
{
	struct request r = {.worker = w, .where = where, .service = service};

	if (!post(&r, run_set_service))
		service_unref(service);
}

static void run_set_sni(struct job *job)
{
	struct request *r = (struct request *)job;

	endpoint_set_sni(r->where, r->service, r->sni, &r->tag);
	free(r);
}

void job_set_sni(struct worker *w, struct endpoint *where, struct service *service,
		 struct sni_table *sni, const struct listener_tag *tag)
{
	struct request r = {
		.worker = w, .where = where, .service = service, .sni = sni, .tag = *tag};

	if (!post(&r, run_set_sni)) {
		service_unref(service);
		sni_table_unref(sni);
	}
}

static void run_move(struct job *job)
{
	struct request *r = (struct request *)job;

	endpoint_move(r->where, r->from);
	free(r);
}

void job_move(struct worker *w, struct endpoint *to, struct endpoint *from)
{
	struct request r = {.worker = w, .where = to, .from = from};

	post(&r, run_move);
}

static bool has_target(const struct conn_view *v, const void *arg)
{
	return v->target == arg;
}

static void run_end_target(struct job *job)
{
	struct request *r = (struct request *)job;

	conn_end_matching(&r->worker->conns, r->reason, has_target, r->target);
	flow_end_target(&r->worker->flows, r->target);
	target_unref(r->target);
	free(r);
}

void job_end_target(struct worker *w, struct target *t, enum end_reason reason)
{
	struct request r = {.worker = w, .target = t, .reason = reason};

	if (!post(&r, run_end_target))
		target_unref(t);
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

void job_end_rule(struct worker *w, struct rule_totals *totals)
{
	struct request r = {.worker = w, .totals = totals};

	if (!post(&r, run_end_rule))
		totals_unref(totals);
}
