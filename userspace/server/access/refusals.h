/* SPDX-License-Identifier: MIT */
/* The rows of the current minute for refusals without a credential. */
#ifndef PORTUNUS_SERVER_ACCESS_REFUSALS_H
#define PORTUNUS_SERVER_ACCESS_REFUSALS_H

#include <stdbool.h>

#include "server/store/store.h"

/*
 * Refusals of those who showed no credential, summed up: one row of the trail for each address, reason
 * and minute, and not more than REFUSALS_MAX a minute; who comes after these is counted in one row
 * without an address for each reason. So nobody fills the disk or the trail with requests.
 */
#define REFUSALS_MAX 64

struct refusals;

struct refusals *refusals_new(void);
void refusals_free(struct refusals *r);
/* Counts one. Returns whether it makes a new row, which should be stored soon. */
bool refusals_note(struct refusals *r, const struct store_audit *row, uint64_t now_ms);
/* Whether there is anything to store. */
bool refusals_pending(const struct refusals *r);
/*
 * Records what is new in a transaction of the caller, who says how that ended before the next one and
 * before the end of @r.
 */
void refusals_write(struct refusals *r, struct store_tx *tx);
void refusals_written(struct refusals *r, bool committed);

#endif
