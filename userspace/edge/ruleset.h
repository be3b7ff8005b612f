/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_RULESET_H
#define PORTUNUS_EDGE_RULESET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "edge/health.h"
#include "lib/rule.h"

struct account;
struct probe;
struct target;

#define WORKERS_MAX 64

/* How a client connection ended; the index of its counter and, as text, in the log. */
enum end_reason {
	END_CLOSED,	  /* both directions saw a FIN */
	END_CLIENT_RESET, /* a RST, or an error, on the client's side */
	END_TARGET_RESET, /* the same on the target's */
	END_NO_TARGET,	  /* no target could be connected to */
	END_CLIENT_GONE,  /* the client reset before a target was connected */
	END_IDLE,	  /* idle_timeout_secs */
	END_DEAD_PEER,	  /* unacknowledged data, nothing heard for the sweep's limit */
	END_DRAINED,	  /* cut at the end of the drain time */
	END_KILLED,	  /* by `drain --kill` */
	END_LOCAL,	  /* ours: no memory, no fd */
	END_REASONS,
};
const char *end_reason_text(enum end_reason reason);

/* What is told of a target's health, on whichever thread found it out. */
struct target_watch {
	void (*changed)(void *arg, struct target *t, enum health_state to);
	void *arg;
};

/* Counters of one rule that outlive its versions and its targets. Shared; counted references. */
struct rule_totals {
	atomic_uint refs;
	uint64_t rule_id;
	const struct target_watch *watch;
	atomic_uint active; /* client connections now, those that are still dialling included */
	atomic_ullong accepted;
	atomic_ullong dns_failures;
	atomic_ullong failovers;	  /* health transitions of all targets */
	atomic_ullong hedged;		  /* connections carried by a hedge */
	atomic_ullong untagged;		  /* sockets whose bytes the kernel does not count for us */
	atomic_ullong ended[END_REASONS]; /* by reason */
};

/*
 * One host:port of one rule. Lives over changes of the rule for as long as that keeps the same
 * host:port; owned by counted references (a service, a connection, a probe each hold one).
 */
struct target {
	atomic_uint refs;
	struct rule_totals *totals;
	uint64_t slot; /* of accounting; 0 when it has none. Set once, by the main thread */
	char *host;
	uint16_t port;
	atomic_bool monitored; /* belongs to a multi-target rule: has a health */
	atomic_bool drained;
	atomic_bool probing; /* a probe is in flight; whoever sets it sends it */
	struct health health;
	struct probe *probe; /* the prober's; main thread */
	struct target *next; /* of the former targets of its rule; main thread */

	/* Attempts by clients (not probes): attempted = ok + failed + timed_out + abandoned + local
	 * + those pending. One per address tried. */
	atomic_ullong attempted, ok, failed, timed_out, abandoned, local_errors;
	atomic_ullong carried; /* client connections it was chosen for */
	atomic_uint active;    /* of these, open now */
	atomic_ullong written_in,
		written_out;	       /* bytes handed to the kernel, to target and client */
	atomic_uint connect_us;	       /* usual connect time: a moving average; 0 unknown */
	uint8_t detached[WORKERS_MAX]; /* losers of a hedge still pending; per worker */
};

/* One version of a rule, as served. Never changed once workers know it; counted references. */
struct service {
	atomic_uint refs;
	struct rule *rule;
	struct rule_totals *totals;
	struct target *target[RULE_TARGETS_MAX]; /* by row */
	uint8_t order[RULE_TARGETS_MAX];	 /* rows by preference */
	uint8_t n;
	bool monitored; /* more than one target */
};

/*
 * Makes the next version of a rule: takes over the targets of @old (may be NULL) that keep their
 * host:port, with their health, counters and slot, and gets slots for new ones. @rule is copied.
 * NULL for memory. Main thread.
 */
struct service *service_new(const struct rule *rule, struct service *old, struct account *account,
			    const struct target_watch *watch);
/* Makes it the one in force: from now on its targets are watched, or not, as it says. Main thread. */
void service_in_force(struct service *s);

static inline struct service *service_ref(struct service *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}
void service_unref(struct service *s);

static inline struct target *target_ref(struct target *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}
void target_unref(struct target *t);

struct rule_totals *totals_ref(struct rule_totals *t);
void totals_unref(struct rule_totals *t);

/*
 * Reports the result of one dial or probe: 0 for success, a positive errno for a failure that is the
 * target's fault. Logs and tells the watch about a transition. No effect without health. Any thread.
 */
void target_report(struct target *t, int err);

/* Adds a successful connect's duration to the moving average. Any thread. */
void target_learn_connect_time(struct target *t, uint64_t ns);

/*
 * The next row of @s to dial, given those that were (@dialled, a bit each): the best by preference
 * that is Healthy now, else the best that is Failed; never one that is drained. -1: none is left.
 */
int service_next(const struct service *s, unsigned dialled);

#endif
