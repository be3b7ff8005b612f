/* SPDX-License-Identifier: MIT */
/* Which records no socket carries any more, and what becomes of those. */
#ifndef PORTUNUS_EDGE_ACCOUNT_COLLECT_H
#define PORTUNUS_EDGE_ACCOUNT_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/clock.h"

struct account_pins;
struct slot_table;

/*
 * Without iterators nobody can ask which sockets there are. That long after its process the kernel
 * has given up every socket of it, but one whose peer goes on reading, which is seen by its bytes:
 * retransmissions and window probes end after tcp_orphan_retries, at most 120 s apart.
 */
#define ACCOUNT_LINGER_NS (3600 * NS_PER_SEC)

/* Takes away records that no socket needs any more, and what earlier processes left in bpffs. */
struct account_collector {
	struct slot_table *table;
	const struct account_pins *pins;
	int tagged_link_fd, tagged_prog_fd; /* below 0 with the basic build */
	uint64_t opened_ns;		    /* when this process began to count */
	/* Guarded by the table's lock. */
	uint64_t collected_ns;
	bool collecting;
	bool old_pins;	 /* earlier processes left some */
	bool keep_links; /* those set aside are of this process: it has moved */
};

/* One pass, if one is due. Not on a worker; the table's lock is not held while it asks the kernel. */
void account_collect(struct account_collector *c);
/*
 * Makes room: takes away what earlier processes left and no socket carries. Returns whether anything
 * went; with the basic build, which cannot tell, nothing does. Under the table's lock.
 */
bool account_evict_unclaimed(struct account_collector *c);

#endif
