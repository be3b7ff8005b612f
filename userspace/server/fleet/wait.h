/* SPDX-License-Identifier: MIT */
/* The wait for an edge's answer, bounded by the rule's ack_timeout_secs. */
#ifndef PORTUNUS_SERVER_FLEET_WAIT_H
#define PORTUNUS_SERVER_FLEET_WAIT_H

#include "server/fleet/error.h"
#include "server/fleet/sessions.h"

/* An operator who waits for the edge's answer to a push or an update. */

/*
 * Called once per push or update, never before the function that started it has returned. @err is
 * NULL when the edge has activated the rule. @r is NULL if the rule was removed meanwhile.
 */
typedef void (*fleet_done)(void *arg, struct fleet_rule *r, const struct fleet_error *err);

/* Owned by its rule. */
struct fleet_push;

/* NULL for memory. wait_free() only before wait_begin(). */
struct fleet_push *wait_new(struct fleet *f, fleet_done done, void *arg);
void wait_free(struct fleet_push *p);
const char *wait_request_id(const struct fleet_push *p);
/* For one that did not come to wait_begin(): tells the operator, and forgets it. */
void wait_fail(struct fleet_push *p, const struct fleet_error *err);
/* Sends the rule, or its update, under the wait's id, and waits for as long as @rule says. */
void wait_begin(struct fleet_push *p, struct fleet_rule *r, const struct rule *rule);
/* Whether it has been long enough for a newer change to take its place. */
bool wait_is_old(const struct fleet_push *p);
/* The edge has answered, and the store is to take that down: no time-out any more. */
void wait_answered(struct fleet_push *p);
bool wait_is_answered(const struct fleet_push *p);
/* Tells the operator, @err NULL: active, and forgets the wait. */
void wait_end(struct fleet_push *p, const struct fleet_error *err);
void wait_cancel(struct fleet_push *p, int status, const char *code, const char *message);

#endif
