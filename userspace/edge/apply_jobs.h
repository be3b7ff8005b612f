/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_APPLY_JOBS_H
#define PORTUNUS_EDGE_APPLY_JOBS_H

#include <stdint.h>

struct edge_config;
struct leaving;
struct listener;
struct rule_totals;
struct service;
struct target;
struct worker;

/*
 * What the main thread asks of a worker. Each returns at once and takes over the references and fds
 * it is given; a worker does what it is asked in the order in which it was. @where belongs to the
 * rule's state but is touched by the worker's thread alone. Without memory a request is lost, which
 * is logged.
 */
void job_listen(struct worker *w, struct listener **where, int fd, struct service *service,
		uint64_t expected_slot);
void job_unlisten(struct worker *w, struct listener **where);
void job_set_service(struct worker *w, struct listener **where, struct service *service);
void job_health_changed(struct worker *w);
void job_names_ready(struct worker *w);
void job_end_target(struct worker *w, struct target *t);
void job_end_all(struct worker *w);

/*
 * After the drain time, ends the connections of a removed rule that are still open; takes over the
 * reference. @all lists those that wait for it, until drains_forget().
 */
void cut_after_drain(struct leaving **all, const struct edge_config *config,
		     struct rule_totals *totals);
/* After the workers have stopped. */
void drains_forget(struct leaving **all);

#endif
