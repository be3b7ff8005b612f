/* SPDX-License-Identifier: MIT */
/* The health of one target: three strikes in a sliding window, and when to look again. */
#ifndef PORTUNUS_EDGE_TARGET_HEALTH_H
#define PORTUNUS_EDGE_TARGET_HEALTH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define HEALTH_FAILURES		3  /* in a row, so many make a target Failed … */
#define HEALTH_WINDOW_SECS	30 /* … when the first and the last are no further apart */
#define HEALTH_SUCCESSES	2  /* in a row, so many bring it back */
#define HEALTH_RECHECK_SECS	1 /* first re-check of a Failed target, and the one after a success */
#define HEALTH_RECHECK_MAX_S	30  /* to which the time between re-checks doubles */
#define HEALTH_SUCCESS_EVERY_MS 100 /* how finely last_success is kept while all is well */

/* What a target may fail by beside the errno of a connect. */
enum health_cause {
	HEALTH_EJECTED =
		4096, /* it accepts connections and ends them without a word; above every errno */
	HEALTH_UNEXPECTED, /* a check got another answer than it expects … */
	HEALTH_SILENT,	   /* … or none in time … */
	HEALTH_HUNG_UP,	   /* … or the connection was ended before it had one */
	HEALTH_NO_TLS,	   /* the hand-shake of a check failed */
};

enum health_state { HEALTH_HEALTHY, HEALTH_FAILED };
enum health_change { HEALTH_SAME, HEALTH_BECAME_FAILED, HEALTH_BECAME_HEALTHY };

/*
 * Whether one target of a rule can be connected to, learnt from what connects (clients' and checks')
 * come to. Knows no clock, no socket and no log: who reports gives the time, who is told of a change
 * logs it. Embedded in its target; needs no clean-up; lives in memory only.
 */
struct health {
	/* Read without the lock by any thread; written under it, but for last_success_unix_ms. */
	_Atomic(enum health_state) state;
	_Atomic uint32_t failures;	       /* in a row, however old: since the last success */
	_Atomic uint64_t last_success_unix_ms; /* 0: never; to HEALTH_SUCCESS_EVERY_MS */
	_Atomic uint64_t last_failure_unix_ms; /* 0: never */
	_Atomic uint64_t since_unix_ms;	       /* of the state */
	_Atomic int last_error; /* errno or enum health_cause of the last failure, 0: none yet */

	/* Under the lock. Times are CLOCK_MONOTONIC nanoseconds. */
	pthread_mutex_t lock;
	uint64_t failed_at[HEALTH_FAILURES]; /* a ring; of its slots, min(failures, size) are set */
	uint32_t successes;		     /* in a row, while Failed */
	uint32_t backoff_secs;		     /* between the last re-check and recheck_at */
	uint32_t interval_secs;		     /* that probe_at belongs to */
	uint64_t recheck_at;		     /* while Failed */
	uint64_t probe_at;		     /* by the rule's interval; 0: none */
	uint64_t phase_at; /* probes after the first: here and each interval later */
	bool recheck_now;
	uint64_t hurry_at;   /* no recheck_now before */
	uint32_t hurry_secs; /* between the last and hurry_at */
	uint64_t held_until; /* ejected: nothing counts as a success before */
};

/* A consistent copy for reports. */
struct health_view {
	enum health_state state;
	uint32_t consecutive_failures;
	uint64_t last_success_unix_ms; /* 0: never */
	uint64_t last_failure_unix_ms; /* 0: never */
	uint64_t since_unix_ms;
	uint64_t next_check_unix_ms; /* 0: none is due */
	int last_error;
};

/* Healthy, with nothing on record. Before any other thread knows of it. */
void health_init(struct health *h, uint64_t wall_ms);

/* Back to what health_init() made of it: the rule now has a single target, or another meaning of
 * this one. No change is reported. Any thread. */
void health_reset(struct health *h, uint64_t wall_ms);

/* Lock-free, any thread. */
static inline enum health_state health_state(const struct health *h)
{
	return atomic_load_explicit(&h->state, memory_order_relaxed);
}

/*
 * A connect came to its end: @err is 0 for established, else the errno (positive) of a failure that
 * is the target's fault. Errors of ours and abandoned attempts are not reported at all. @mono_ns is
 * when it ended.
 *
 * Returns the change that this very report made, if any: of all threads' reports exactly one gets
 * each transition, and has to count, log and push it.
 *
 * Failed: the HEALTH_FAILURES most recent failures lie within HEALTH_WINDOW_SECS (inclusive), with
 * no success between. Healthy again: HEALTH_SUCCESSES in a row while Failed.
 *
 * Any thread. The success of a Healthy target that has no failure on record takes no lock, and
 * writes at most once in HEALTH_SUCCESS_EVERY_MS, so that workers do not fight for the cache line.
 */
enum health_change health_report(struct health *h, int err, uint64_t mono_ns, uint64_t wall_ms);

/*
 * Failed at once, whatever its connects come to: for @for_secs it is not checked, and nothing counts as
 * a success. Of a target that is Failed already only that time. As health_report().
 */
enum health_change health_eject(struct health *h, uint32_t for_secs, uint64_t mono_ns,
				uint64_t wall_ms);

/* A client's connect succeeded, where checks ask for more than that: forgets failures of connects, if
 * the last one was one, and brings nobody back. Any thread, without the lock as health_report(). */
void health_connected(struct health *h, uint64_t wall_ms);

/* In words: of an errno, or of an enum health_cause. */
const char *health_cause_text(int err);

/*
 * Decides when the target is to be checked next, and returns that time (monotonic ns) or 0 for
 * never. @interval_secs is the rule's (0: none, then only a Failed target is checked). @mono_ns is
 * now; a time decided on earlier that has come by now counts as used, and is replaced by a later
 * one. The answer is never in the past; it is @mono_ns itself after health_recheck_now().
 *
 * So the prober asks at activation, when a check has ended and been reported (or came to nothing by
 * an error of ours), on each transition and after health_recheck_now(); not while a check of this
 * target is under way. When it asks because of a transition and a timer is armed already, the
 * earlier of both times holds, but 0 disarms.
 *
 * Failed: 1 s after it failed, then 2, 4, … 30 s after each failure that was reported when a
 * re-check was due (a client's attempt does as well as the prober's own); 1 s after a success.
 * With an interval: the first probe within a second of the first call, the second half to one
 * interval later, and each following one an interval after it; the earlier of that and the above.
 * @spread is any number that differs between targets: it decides where within these ranges the
 * probes of this target fall, so that not all of them fire together.
 * A check that failed by what the target answered, with an interval: 1 s after it, until the target is
 * Failed or the check succeeds, since three within 30 s are asked for. Ejected: when that time is over.
 * A changed interval begins anew. Any thread, in practice the prober's.
 */
uint64_t health_next_check(struct health *h, uint32_t interval_secs, uint64_t mono_ns,
			   uint32_t spread);

/*
 * The network has changed: a Failed target's next check is due at once, and its back-off restarts
 * at 1 s. Where the network never rests, no sooner than 1 s after the last time, then 2, 4, … 30 s, and
 * the back-off restarts at just that; a success begins anew. Does nothing to a Healthy target. Returns
 * whether to ask health_next_check() again. Any thread.
 */
bool health_recheck_now(struct health *h, uint64_t mono_ns);

/* Fills @view. @mono_ns and @wall_ms are now, by both clocks. Any thread. */
void health_view(struct health *h, uint64_t mono_ns, uint64_t wall_ms, struct health_view *view);

#endif
