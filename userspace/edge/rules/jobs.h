/* SPDX-License-Identifier: MIT */
/* Requests of the main thread to the workers: one small job each, run on the worker's thread. */
#ifndef PORTUNUS_EDGE_RULES_JOBS_H
#define PORTUNUS_EDGE_RULES_JOBS_H

#include <stdint.h>

#include "edge/target/end.h"
#include "lib/rule/span.h"

struct endpoint;
struct listener_tag;
struct listening;
struct rule_totals;
struct service;
struct sni_table;
struct target;
struct worker;

/*
 * What the main thread asks of a worker. Each returns at once and takes over the references and fds
 * it is given; a worker does what it is asked in the order in which it was. @where belongs to the
 * rule's state but is touched by the worker's thread alone. Without memory a request is lost, which
 * is logged.
 */
void job_listen(struct worker *w, struct endpoint *where, const struct listening *l,
		struct service *service, struct sni_table *sni);
void job_unlisten(struct worker *w, struct endpoint *where);
/* Closes what listens outside @keep. */
void job_trim(struct worker *w, struct endpoint *where, struct span keep);
void job_set_service(struct worker *w, struct endpoint *where, struct service *service);
void job_set_sni(struct worker *w, struct endpoint *where, struct service *service,
		 struct sni_table *sni, const struct listener_tag *tag);
void job_move(struct worker *w, struct endpoint *to, struct endpoint *from);
void job_end_target(struct worker *w, struct target *t, enum end_reason reason);
void job_end_rule(struct worker *w, struct rule_totals *totals);

#endif
