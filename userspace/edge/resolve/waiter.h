/* SPDX-License-Identifier: MIT */
/* Who waits for a name. */
#ifndef PORTUNUS_EDGE_RESOLVE_WAITER_H
#define PORTUNUS_EDGE_RESOLVE_WAITER_H

#include <stdbool.h>
#include <sys/queue.h>

struct resolve_entry;
LIST_HEAD(resolve_waiters, resolve_waiter);

/* Where those of one thread come when their name has news. One per thread that waits. */
struct resolve_inbox {
	/* Called by the resolver's thread when the first one has come since the inbox was empty. */
	void (*wake)(struct resolve_inbox *inbox);
	struct resolve_waiters ready; /* guarded by the resolver's lock, as is the next */
	bool told;
};

/* Somebody who waits for a name. All zero but for its inbox: waits for nothing. */
struct resolve_waiter {
	struct resolve_inbox *inbox;
	/* Of the entry's waiters, then of the inbox; guarded by the resolver's lock. */
	LIST_ENTRY(resolve_waiter) link;
	struct resolve_entry *entry; /* NULL once it is in the inbox */
	bool waiting;		     /* of its own thread */
};

#endif
