/* SPDX-License-Identifier: MIT */
/* The audit trail's queue and its writer. */
#ifndef PORTUNUS_SERVER_ACCESS_AUDIT_H
#define PORTUNUS_SERVER_ACCESS_AUDIT_H

#include <stdint.h>

#include "server/store/store.h"

/*
 * Writes the audit trail. The row of a change goes into the change's own transaction; other rows are
 * queued and written in batches (within 100 ms, or every 256 rows), so that a burst of refused requests
 * costs one sync. What cannot be written now is kept and tried again. Texts are cut at 256 bytes.
 * Loop thread.
 */
struct audit;
struct event_base;

#define AUDIT_ANONYMOUS "_anonymous" /* the actor without a credential */

struct audit *audit_new(struct event_base *base, struct store *store);
void audit_free(struct audit *a); /* writes what is queued */

/*
 * Queues a copy of @row, stamped with the time. Those who are refused without a credential
 * (AUDIT_ANONYMOUS) get one row for each address, reason and minute, with the number of times.
 */
void audit_add(struct audit *a, const struct store_audit *row);

/*
 * While an operator's request is carried out: the first transaction that is committed takes the row that
 * @fill gives along, and @written (may be NULL) gets the row's number once that is stored, before
 * the one who committed hears of it.
 */
struct audit_request {
	void (*fill)(void *arg, struct store_audit *row);
	void (*written)(void *arg, uint64_t seq);
	void *arg;
};
void audit_attend(struct audit *a, const struct audit_request *r);
/* Ends it, if it is @arg's. */
void audit_leave(struct audit *a, const void *arg);
/* The same, and nobody is told of a row that is still to be stored: before @arg is freed. */
void audit_forget(struct audit *a, const void *arg);
/* What became known later of a row that was written: @row->seq, reason, resource_kind, resource_value. */
void audit_complete(struct audit *a, const struct store_audit *row);

/*
 * Before the trail is read: writes what is queued. True: @done will be called when that has been tried.
 * False: there is nothing to wait for.
 */
bool audit_flush(struct audit *a, store_done done, void *arg);

uint64_t audit_drops(const struct audit *a);
/* Seconds that the oldest queued row has waited. */
double audit_lag(const struct audit *a);

#endif
