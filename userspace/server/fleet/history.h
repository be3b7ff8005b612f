/* SPDX-License-Identifier: MIT */
/* The history's queue and its writer. */
#ifndef PORTUNUS_SERVER_FLEET_HISTORY_H
#define PORTUNUS_SERVER_FLEET_HISTORY_H

#include "server/store/store.h"

/*
 * What happened, for /v1/events: kept in the store for 90 days. Rows are queued and written within a
 * second; those that cannot be written now are tried again. Loop thread.
 */
#define EVENT_TARGET_FAILED    "target.failed"
#define EVENT_TARGET_RECOVERED "target.recovered"
#define EVENT_RULE_CREATED     "rule.created"
#define EVENT_RULE_ACTIVE      "rule.active" /* an edge has it in force */
#define EVENT_RULE_FAILED      "rule.failed"
#define EVENT_RULE_CHANGED     "rule.changed" /* an update is in force */
#define EVENT_RULE_REMOVED     "rule.removed"
#define EVENT_CLIENT_UP	       "client.connected"
#define EVENT_CLIENT_DOWN      "client.disconnected"

struct event_base;
struct history;

struct history *history_new(struct event_base *base, struct store *store);
void history_free(struct history *h); /* writes what is queued, or says that it is lost */
/* Queues a copy; @e->at_ms 0: now. Texts are cut at 256 bytes. */
void history_add(struct history *h, const struct store_event *e);
/*
 * Before the history is read. True: @done will be called when what was queued has been written, or could
 * not be; false: there is nothing to wait for.
 */
bool history_flush(struct history *h, store_done done, void *arg);

#endif
