/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_AUDIT_H
#define PORTUNUS_SERVER_AUDIT_H

#include <stdint.h>

#include "server/store.h"

/*
 * Writes the audit trail in batches (within 100 ms, or every 256 rows), so that a burst of refused
 * requests costs one sync. Loop thread.
 */
struct audit;
struct event_base;

struct audit *audit_new(struct event_base *base, struct store *store);
void audit_free(struct audit *a); /* writes what is queued */

/* Queues a copy of @row, stamped with the time. A full queue drops it and counts that. */
void audit_add(struct audit *a, const struct store_audit *row);
/* Before the trail is read. */
void audit_flush(struct audit *a);

uint64_t audit_drops(const struct audit *a);
/* Seconds that the oldest queued row has waited. */
double audit_lag(const struct audit *a);

#endif
