/* SPDX-License-Identifier: MIT */
/* The workers' counters: made, and added up. */
#ifndef PORTUNUS_EDGE_TARGET_CELLS_H
#define PORTUNUS_EDGE_TARGET_CELLS_H

#include <stdatomic.h>
#include <stdint.h>

#include "edge/target/end.h"
#include "edge/target/path.h"

/*
 * What the workers count. Each has cells of its own, which only its thread writes, so no cache line goes
 * to and fro between them; whoever reads adds up. The figure of one cell alone means nothing: a
 * connection's `active` goes up and down on one worker, but only sums are shown.
 */

/*
 * Of a target. Attempts are those by clients (not probes), one for each address tried:
 * attempted = ok + failed + timed_out + abandoned + local_errors + those pending.
 */
#define TARGET_COUNTS(X)                                               \
	X(carried)     /* client connections it was chosen for */      \
	X(active)      /* of these, open now */                        \
	X(dialling)    /* clients that it is being dialled for, now */ \
	X(written_in)  /* bytes handed to the kernel, to the target */ \
	X(written_out) /* the same, to clients */                      \
	X(ok)                                                          \
	X(failed)                                                      \
	X(timed_out)                                                   \
	X(abandoned)                                                   \
	X(local_errors)                                                \
	X(attempted) /* read last, so that the others are never more than it */

/* Of a rule. */
#define TOTALS_COUNTS(X)                                                                  \
	X(active) /* client connections now, those that are still dialling too */         \
	X(accepted)                                                                       \
	X(handed_over) /* connections that the kernel took over */                        \
	X(in_kernel)   /* of these, open now */                                           \
	X(dns_failures)                                                                   \
	X(hedged)    /* connections carried by a hedge */                                 \
	X(untagged)  /* sockets whose bytes the kernel does not count for us */           \
	X(sni_exact) /* connections that got a target, by how their rule was found */     \
	X(sni_wildcard)                                                                   \
	X(sni_fallback)                                                                   \
	X(datagrams_in)                                                                   \
	X(datagrams_out)                                                                  \
	X(flows_dropped)       /* new flows that the limit refused, or replaced */        \
	X(flows_pending_drops) /* datagrams without room while a target was sought */     \
	X(flows_moved)	       /* to another address or target before the first answer */ \
	X(send_dropped)	       /* datagrams that a full queue did not take */

#define CELL_COUNTER(name) atomic_ullong name;
#define CELL_SUM(name)	   uint64_t name;

struct target_cell {
	TARGET_COUNTS(CELL_COUNTER)
	uint8_t detached; /* losers of a hedge still pending; the worker's alone */
} __attribute__((aligned(64)));

struct totals_cell {
	TOTALS_COUNTS(CELL_COUNTER)
	atomic_ullong ended[END_REASONS]; /* by reason */
	atomic_ullong kept[PATH_REASONS]; /* ended without the kernel, though the rule wanted it */
} __attribute__((aligned(64)));

struct target_sums {
	TARGET_COUNTS(CELL_SUM)
};

struct totals_sums {
	TOTALS_COUNTS(CELL_SUM)
	uint64_t ended[END_REASONS];
	uint64_t kept[PATH_REASONS];
};

/* Adds to a counter of the calling thread's own cell: no other thread writes it. */
static inline void cell_add(atomic_ullong *counter, uint64_t n)
{
	uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

/* @n cells of zeros, for free(); NULL for memory. */
struct target_cell *target_cells_new(unsigned n);
struct totals_cell *totals_cells_new(unsigned n);

void target_cells_sum(const struct target_cell *cells, unsigned n, struct target_sums *out);
void totals_cells_sum(const struct totals_cell *cells, unsigned n, struct totals_sums *out);

#endif
