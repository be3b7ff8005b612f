/* SPDX-License-Identifier: MIT */
/* One target of a rule and the totals of the rule: counters, references, reports to its health. */
#ifndef PORTUNUS_EDGE_TARGET_TARGET_H
#define PORTUNUS_EDGE_TARGET_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "edge/target/cells.h"
#include "edge/target/end.h"
#include "edge/target/health.h"
#include "edge/target/memory.h"
#include "edge/target/port_counts.h"

struct account;
struct probe;
struct target;

/* What is told of a target's health, on whichever thread found it out. */
struct target_watch {
	void (*changed)(void *arg, struct target *t, enum health_state to);
	void *arg;
	unsigned n_workers; /* that count; 0 is as good as 1 */
};

/* Counters of one rule that outlive its versions and its targets. Shared; counted references. */
struct rule_totals {
	atomic_uint refs;
	uint64_t rule_id;
	const struct target_watch *watch;
	atomic_ullong failovers;   /* health transitions of all targets */
	struct totals_cell *cells; /* by worker */
	unsigned n_cells;

	_Atomic(struct port_counts *) ports; /* by worker; NULL: it never had a range */
	atomic_bool loop_said;		     /* in the log, once */
	atomic_bool over; /* the rule was removed, and its connections have had their time */

	/* What choosing a target goes by (choose.c). */
	atomic_ullong turn;	  /* of whoever was last chosen */
	atomic_uint held;	  /* with manual failback: the level that takes new connections */
	pthread_mutex_t ejecting; /* guards the strikes of its targets (eject.c) */

	/* Of a UDP rule. */
	atomic_uint flows;	  /* alive now, those without a target yet included */
	atomic_size_t held_bytes; /* of first datagrams that wait for an answer */
};

/* When a target last ended connections without a word: a ring. */
struct strikes {
	uint64_t *at; /* monotonic ns */
	uint32_t room, n, next;
};

/*
 * One host:port of one rule. Lives over changes of the rule for as long as that keeps the same
 * host:port; owned by counted references (a service, a connection, a probe each hold one).
 */
struct target {
	atomic_uint refs;
	struct rule_totals *totals;
	uint64_t slot; /* of accounting; 0 when it has none. Set once, by the main thread */
	uint64_t key;  /* that source_hash knows it by */
	char *host;
	uint16_t port;
	bool udp; /* the kernel does not count its bytes: written_in and written_out do */
	atomic_bool monitored; /* belongs to a multi-target rule: has a health */
	atomic_bool drained;
	atomic_bool probing; /* a probe is in flight; whoever sets it sends it */
	atomic_bool
		talks; /* its checks ask for more than a connect, which alone proves nothing then */
	struct health health;
	struct strikes strikes;
	struct memory memory;	    /* of its name's addresses */
	struct probe *probe;	    /* the prober's; main thread */
	LIST_ENTRY(target) retired; /* among the former targets of its rule; main thread */

	struct target_cell *cells; /* by worker, as many as of totals */
	atomic_ullong turn;	   /* the time of its next, where targets take turns */
	atomic_uint connect_us;	   /* usual connect time: a moving average; 0 unknown */
	atomic_ullong refused;	   /* the last port of its range to be: port << 48 | milliseconds */
};

/* NULL for memory. */
struct rule_totals *totals_new(uint64_t rule_id, const struct target_watch *watch);
struct rule_totals *totals_ref(struct rule_totals *t);
void totals_unref(struct rule_totals *t);

/* The cells of the calling worker. */
static inline struct totals_cell *totals_cell(const struct rule_totals *t, unsigned worker)
{
	return &t->cells[worker];
}

/* From now on each port is counted as well. Main thread; without memory they are not. */
void totals_count_ports(struct rule_totals *t);
/* The calling worker's cell of a port, NULL: ports are not counted. */
static inline struct port_cell *totals_port(struct rule_totals *t, unsigned worker, uint16_t port)
{
	struct port_counts *all = atomic_load_explicit(&t->ports, memory_order_acquire);

	return all ? port_counts_cell(&all[worker], port) : NULL;
}

/* All workers' figures together. Any thread. */
struct totals_sums totals_sum(const struct rule_totals *t);
/* Of these, the open connections. */
uint64_t totals_active(const struct rule_totals *t);

/* A target without a slot, not monitored. @host is copied. NULL for memory. */
struct target *target_new(struct rule_totals *totals, const char *host, uint16_t port);

static inline struct target *target_ref(struct target *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}
void target_unref(struct target *t);

static inline struct target_cell *target_cell(const struct target *t, unsigned worker)
{
	return &t->cells[worker];
}

struct target_sums target_sum(const struct target *t);
/* Its open connections and flows, with those that are being dialled. Any thread. */
uint64_t target_load(const struct target *t);

/*
 * Reports the result of one dial or probe: 0 for success, a positive errno for a failure that is the
 * target's fault. Logs and tells the watch about a transition. No effect without health. Any thread.
 */
void target_report(struct target *t, int err);

/*
 * The same of a connect to @port. Of a target with a range one closed port says nothing of the host: that
 * it is refused counts at the range's first port, and where another port was refused not long before.
 */
void target_report_port(struct target *t, uint16_t port, int err);

/*
 * A client's connect has succeeded (@check: one of a check), or a UDP target has answered. That is a
 * success, unless the target's checks ask for more. Any thread.
 */
void target_connected(struct target *t, bool check);

/* Makes it Failed, and not checked for @for_secs: see eject.h. No effect without health. Any thread. */
void target_eject(struct target *t, uint32_t for_secs);

/*
 * Puts the bytes of a UDP target, which user space alone counts, into its record, so that they are
 * seen there and outlive the process. Does nothing for TCP. Main thread.
 */
void target_store_written(struct target *t, struct account *a);

/* Adds a successful connect's duration to the moving average. Any thread. */
void target_learn_connect_time(struct target *t, uint64_t ns);

/*
 * The same of a connect whose SYN was repeated; @exact: @ns is by the peer's timestamp, else it is an
 * upper bound, as the answer may be to either SYN. What is longer than usual counts at once, but at most
 * doubles what is usual (RFC 6298, 5.5 and 5.7), or a target that has become distant would be hedged
 * away. Any thread.
 */
void target_learn_slow_connect(struct target *t, uint64_t ns, bool exact);

#endif
