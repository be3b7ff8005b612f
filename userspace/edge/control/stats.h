/* SPDX-License-Identifier: MIT */
/* Reports to the server: periodic ones, answers, changes of health; refreshed, and sent in pieces. */
#ifndef PORTUNUS_EDGE_CONTROL_STATS_H
#define PORTUNUS_EDGE_CONTROL_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/wire/portunus.pb-c.h"

struct account;
struct rule_table;
struct event_base;
struct refresher;
struct stats_request;
struct stats_sender;

struct stats_config {
	struct event_base *base;
	struct rule_table *table;
	struct account *account;
	struct refresher *refresher;
	uint32_t interval_secs; /* between periodic reports */
	/* 0; -EAGAIN: no room, stats_drained() follows; another -errno: the session is over. */
	int (*send)(void *arg, Portunus__V1__StatsReport *report);
	void *arg;
};

/*
 * Decides when figures are reported and sends them piece by piece, a message in each turn of the loop,
 * so that 10,000 rules do not hold it up. Main thread. NULL for memory.
 */
struct stats_sender *stats_sender_new(const struct stats_config *config);
/* Before the refresher it uses. */
void stats_sender_free(struct stats_sender *s);

/* A session has begun: the first periodic report comes one interval from now. @asks: the server asks for
 * what it wants to know besides. */
void stats_begin(struct stats_sender *s, bool asks);
/* It has ended: what was to be sent is forgotten. */
void stats_end(struct stats_sender *s);

/* Reports everything now: read after this call. */
void stats_report_now(struct stats_sender *s);

/* Answers a server's request, with figures read after this call. */
void stats_answer(struct stats_sender *s, const struct stats_request *wanted);

/* A target of this rule has changed its health: reported within 50 ms, with those that do so by then. */
void stats_health_changed(struct stats_sender *s, uint64_t rule_id);

/* There is room in the stream again. */
void stats_drained(struct stats_sender *s);

#endif
