/* SPDX-License-Identifier: MIT */
/* Refreshes of the kernel's records, off the main thread: a refresh may have to wait 250 ms. */
#ifndef PORTUNUS_EDGE_WATCH_REFRESH_H
#define PORTUNUS_EDGE_WATCH_REFRESH_H

#include <stdint.h>

#include "edge/loop/offload.h"

struct account;
struct event_base;
struct refresher;

/* A request for records that are no older than itself. Embedded in what waits for them. */
struct refresh {
	struct offload_job job; /* the refresher's */
	struct account *account;
	uint64_t not_before_ns;
	int result; /* of account_refresh() */
	void (*done)(struct refresh *r);
};

/*
 * Runs account_refresh() on a thread of its own, so that the main thread never sleeps for it; one for
 * the process. Requests that come while one is under way share the next. NULL with errno set. Main
 * thread.
 */
struct refresher *refresher_new(struct event_base *base, struct account *a);

/* Calls r->done() on the main thread, later, after a refresh that began after this call. */
void refresher_ask(struct refresher *owner, struct refresh *r);

/* Waits until done() was called for all that was asked so far. Main thread. */
void refresher_settle(struct refresher *r);

/* Waits for what is under way; done() is called for all that was asked. */
void refresher_free(struct refresher *r);

#endif
