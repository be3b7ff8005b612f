/* SPDX-License-Identifier: MIT */
/* An envelope of caps in force, of a rule or of an owner: what it admits, and what it counts. */
#ifndef PORTUNUS_EDGE_ADMIT_ENVELOPE_H
#define PORTUNUS_EDGE_ADMIT_ENVELOPE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/admit/bucket.h"
#include "lib/rule/limit.h"

enum { ADMIT_IN, ADMIT_OUT }; /* from clients to targets, and back */

/* Why somebody was not let in. */
enum refusal { REFUSED_CONCURRENT, REFUSED_CONN_RATE, REFUSED_FLOW_RATE, REFUSALS };

/* What one worker counts, and what it has taken in advance; only its thread writes them. */
struct envelope_cell {
	atomic_ullong refused[REFUSALS];
	atomic_ullong throttled_us[2]; /* by direction */
	atomic_ullong dropped;	       /* datagrams, for want of bandwidth */
	atomic_uint active;	       /* connections and flows, whether capped or not */
	uint32_t lease[2];	       /* bytes by direction, taken and not used yet */
} __attribute__((aligned(64)));

/*
 * Shared by all workers; counted references. Without caps it costs the connections a cell of their own
 * worker and two reads of a line that nobody writes.
 */
struct envelope {
	struct bucket bytes[2]; /* by direction */
	struct bucket fresh;	/* connections and flows that begin */
	atomic_uint concurrent; /* 0: no cap */
	atomic_uint refs;
	unsigned n_cells;
	struct envelope_cell *cells; /* by worker */
	pthread_mutex_t lock;	     /* held by who is let in where `concurrent` is capped */
	struct rate_limit limit;     /* as set; main thread */
};

struct envelope_figures {
	uint64_t refused[REFUSALS], throttled_us[2], dropped;
	uint32_t active;
};

/* Without caps, for @n_workers. NULL for memory. */
struct envelope *envelope_new(unsigned n_workers);
struct envelope *envelope_ref(struct envelope *e); /* NULL stays NULL */
void envelope_unref(struct envelope *e);

/* Puts caps in force, for what is open too. Returns whether that changed anything. Main thread. */
bool envelope_set(struct envelope *e, const struct rate_limit *limit, uint64_t now_ns);

/* Lets one more in and counts it, or returns false and counts why not. Worker's thread. */
bool envelope_enter(struct envelope *e, unsigned worker, bool udp, uint64_t now_ns);
/* One has ended. */
/* One that an earlier process let in. */
void envelope_adopt(struct envelope *e, unsigned worker);
void envelope_leave(struct envelope *e, unsigned worker);
/* One was let in and yet could not begin, as somebody else refused it: as if it had not come. */
void envelope_take_back(struct envelope *e, unsigned worker);

/* What waited for bandwidth in that direction has waited for so long. Worker's thread. */
void envelope_throttled(struct envelope *e, unsigned worker, unsigned direction, uint64_t us);
void envelope_dropped(struct envelope *e, unsigned worker, unsigned datagrams);

/* All workers' figures together. Any thread. */
void envelope_read(const struct envelope *e, struct envelope_figures *out);

#endif
