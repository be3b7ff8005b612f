// SPDX-License-Identifier: MIT
/* The health of one target: three strikes in a sliding window, and when to look again. */
#include "edge/target/health.h"

#include <string.h>

#include "lib/base/clock.h"

#define TIMER_SLACK_MS 50

/*
 * The members that are read without the lock guard nothing else, hence relaxed order: a reader may
 * see a state a moment late, as it may be reported a moment late.
 */
#define get(member)	   atomic_load_explicit(&(member), memory_order_relaxed)
#define set(member, value) atomic_store_explicit(&(member), (value), memory_order_relaxed)

static void clear(struct health *h, uint64_t wall_ms)
{
	set(h->state, HEALTH_HEALTHY);
	set(h->failures, 0);
	set(h->last_success_unix_ms, 0);
	set(h->last_failure_unix_ms, 0);
	set(h->since_unix_ms, wall_ms);
	set(h->last_error, 0);
	h->successes = 0;
	h->backoff_secs = 0;
	h->interval_secs = 0;
	h->recheck_at = 0;
	h->probe_at = 0;
	h->phase_at = 0;
	h->recheck_now = false;
	h->hurry_at = 0;
	h->hurry_secs = 0;
	h->held_until = 0;
}

void health_init(struct health *h, uint64_t wall_ms)
{
	memset(h->failed_at, 0, sizeof(h->failed_at));
	pthread_mutex_init(&h->lock, NULL);
	clear(h, wall_ms);
}

void health_reset(struct health *h, uint64_t wall_ms)
{
	pthread_mutex_lock(&h->lock);
	clear(h, wall_ms);
	pthread_mutex_unlock(&h->lock);
}

static void change_state(struct health *h, enum health_state state, uint64_t wall_ms)
{
	set(h->state, state);
	set(h->since_unix_ms, wall_ms);
	h->successes = 0;
	h->recheck_now = false;
}

static void recheck_in(struct health *h, uint32_t secs, uint64_t mono_ns)
{
	h->backoff_secs = secs;
	h->recheck_at = mono_ns + secs * NS_PER_SEC;
}

/* A re-check that was due has failed. */
static void back_off(struct health *h, uint64_t mono_ns)
{
	uint32_t secs = h->backoff_secs ? h->backoff_secs * 2 : HEALTH_RECHECK_SECS;

	recheck_in(h, secs < HEALTH_RECHECK_MAX_S ? secs : HEALTH_RECHECK_MAX_S, mono_ns);
}

/* Whether @when has come. An event loop's timers count from when the loop woke up, so they can be
 * early by as long as its callbacks ran. */
static bool is_due(uint64_t when, uint64_t mono_ns)
{
	return when <= mono_ns + TIMER_SLACK_MS * NS_PER_MS;
}

/* Puts a failure on record; whether the ring is full of failures that lie within the window. */
static bool strike(struct health *h, uint64_t mono_ns)
{
	uint32_t n = get(h->failures);
	uint64_t oldest, newest = n ? h->failed_at[(n - 1) % HEALTH_FAILURES] : 0;

	/* Threads take the time before the lock, so their reports may come out of order. */
	if (mono_ns > newest)
		newest = mono_ns;
	h->failed_at[n % HEALTH_FAILURES] = newest;
	oldest = h->failed_at[(n + 1) % HEALTH_FAILURES];
	set(h->failures, n + 1);
	return n + 1 >= HEALTH_FAILURES && newest - oldest <= HEALTH_WINDOW_SECS * NS_PER_SEC;
}

static enum health_change on_failure(struct health *h, int err, uint64_t mono_ns, uint64_t wall_ms)
{
	bool out = strike(h, mono_ns);

	set(h->last_failure_unix_ms, wall_ms);
	set(h->last_error, err);
	if (get(h->state) == HEALTH_FAILED) {
		h->successes = 0;
		if (is_due(h->recheck_at, mono_ns))
			back_off(h, mono_ns);
		return HEALTH_SAME;
	}
	if (!out)
		return HEALTH_SAME;
	change_state(h, HEALTH_FAILED, wall_ms);
	recheck_in(h, HEALTH_RECHECK_SECS, mono_ns);
	return HEALTH_BECAME_FAILED;
}

static enum health_change on_success(struct health *h, uint64_t mono_ns, uint64_t wall_ms)
{
	if (get(h->state) == HEALTH_FAILED && mono_ns < h->held_until)
		return HEALTH_SAME;
	set(h->failures, 0);
	set(h->last_success_unix_ms, wall_ms);
	h->hurry_at = 0;
	h->hurry_secs = 0;
	if (get(h->state) == HEALTH_HEALTHY)
		return HEALTH_SAME;
	if (++h->successes >= HEALTH_SUCCESSES) {
		change_state(h, HEALTH_HEALTHY, wall_ms);
		return HEALTH_BECAME_HEALTHY;
	}
	recheck_in(h, HEALTH_RECHECK_SECS, mono_ns);
	return HEALTH_SAME;
}

enum health_change health_report(struct health *h, int err, uint64_t mono_ns, uint64_t wall_ms)
{
	enum health_change change;

	if (!err && get(h->state) == HEALTH_HEALTHY && !get(h->failures)) {
		/* Unsigned: a clock that was set back differs by a lot, and is believed. */
		if (wall_ms - get(h->last_success_unix_ms) >= HEALTH_SUCCESS_EVERY_MS)
			set(h->last_success_unix_ms, wall_ms);
		return HEALTH_SAME;
	}
	pthread_mutex_lock(&h->lock);
	change = err ? on_failure(h, err, mono_ns, wall_ms) : on_success(h, mono_ns, wall_ms);
	pthread_mutex_unlock(&h->lock);
	return change;
}

enum health_change health_eject(struct health *h, uint32_t for_secs, uint64_t mono_ns,
				uint64_t wall_ms)
{
	enum health_change change = HEALTH_SAME;

	pthread_mutex_lock(&h->lock);
	set(h->last_failure_unix_ms, wall_ms);
	set(h->last_error, HEALTH_EJECTED);
	if (get(h->state) == HEALTH_HEALTHY) {
		change_state(h, HEALTH_FAILED, wall_ms);
		change = HEALTH_BECAME_FAILED;
	}
	h->successes = 0;
	h->held_until = mono_ns + for_secs * NS_PER_SEC;
	h->backoff_secs = HEALTH_RECHECK_SECS;
	h->recheck_at = h->held_until;
	pthread_mutex_unlock(&h->lock);
	return change;
}

/* Whether the last failure was in what a check was answered: no connect speaks against that. */
static bool failed_by_check(const struct health *h)
{
	return get(h->last_error) > HEALTH_EJECTED;
}

void health_connected(struct health *h, uint64_t wall_ms)
{
	if (!get(h->failures))
		return;
	pthread_mutex_lock(&h->lock);
	if (get(h->state) == HEALTH_HEALTHY && !failed_by_check(h)) {
		set(h->failures, 0);
		set(h->last_success_unix_ms, wall_ms);
	}
	pthread_mutex_unlock(&h->lock);
}

const char *health_cause_text(int err)
{
	static const char *const texts[] = {
		[HEALTH_EJECTED - HEALTH_EJECTED] = "ejected",
		[HEALTH_UNEXPECTED - HEALTH_EJECTED] = "the check got an unexpected answer",
		[HEALTH_SILENT - HEALTH_EJECTED] = "the check got no answer in time",
		[HEALTH_HUNG_UP - HEALTH_EJECTED] = "the check's connection was ended unanswered",
		[HEALTH_NO_TLS - HEALTH_EJECTED] = "the check's TLS hand-shake failed",
	};
	size_t i = (size_t)err - HEALTH_EJECTED;
	const char *text = err < HEALTH_EJECTED ? strerrordesc_np(err) : NULL;

	if (err >= HEALTH_EJECTED && i < sizeof(texts) / sizeof(texts[0]))
		text = texts[i];
	return text ? text : "unknown error";
}

/* A part of @range that @spread picks; neighbouring numbers pick places far apart (Knuth's
 * multiplicative hashing). */
static uint64_t share_of(uint64_t range_ms, uint32_t spread)
{
	uint32_t hash = spread * 2654435761u;

	return ((range_ms * hash) >> 32) * NS_PER_MS;
}

/* Moves probe_at behind @mono_ns, or sets it out when the interval is another. */
static void plan_probe(struct health *h, uint32_t interval_secs, uint64_t mono_ns, uint32_t spread)
{
	const uint64_t interval = interval_secs * NS_PER_SEC;

	if (interval_secs != h->interval_secs) {
		h->interval_secs = interval_secs;
		h->probe_at = h->phase_at = 0;
		if (!interval_secs)
			return;
		h->probe_at = mono_ns + share_of(1000, spread) + 1;
		h->phase_at = h->probe_at + interval / 2 + share_of(interval_secs * 500, spread);
		return;
	}
	if (!interval_secs || !is_due(h->probe_at, mono_ns))
		return;
	while (is_due(h->phase_at, mono_ns))
		h->phase_at += interval;
	h->probe_at = h->phase_at;
}

/* The re-check's time, behind @mono_ns unless asked for at once. */
static uint64_t plan_recheck(struct health *h, uint64_t mono_ns)
{
	if (h->recheck_now) {
		h->recheck_now = false;
		recheck_in(h, 0, mono_ns);
		/* What back_off() doubles. */
		h->backoff_secs = h->hurry_secs / 2;
	} else if (is_due(h->recheck_at, mono_ns)) {
		/* It has come, and no report: the check failed by an error of ours. The same again. */
		recheck_in(h, h->backoff_secs ? h->backoff_secs : HEALTH_RECHECK_SECS, mono_ns);
	}
	return h->recheck_at;
}

uint64_t health_next_check(struct health *h, uint32_t interval_secs, uint64_t mono_ns,
			   uint32_t spread)
{
	uint64_t next, recheck;

	pthread_mutex_lock(&h->lock);
	plan_probe(h, interval_secs, mono_ns, spread);
	next = h->probe_at;
	if (get(h->state) == HEALTH_FAILED) {
		recheck = plan_recheck(h, mono_ns);
		if (!next || recheck < next || mono_ns < h->held_until)
			next = recheck;
	} else if (next && get(h->failures) && failed_by_check(h) &&
		   next > mono_ns + HEALTH_RECHECK_SECS * NS_PER_SEC) {
		next = mono_ns + HEALTH_RECHECK_SECS * NS_PER_SEC;
	}
	pthread_mutex_unlock(&h->lock);
	return next;
}

bool health_recheck_now(struct health *h, uint64_t mono_ns)
{
	bool hurry;

	pthread_mutex_lock(&h->lock);
	hurry = get(h->state) == HEALTH_FAILED && mono_ns >= h->hurry_at &&
		mono_ns >= h->held_until;
	if (hurry) {
		h->recheck_now = true;
		h->hurry_secs = h->hurry_secs ? h->hurry_secs * 2 : HEALTH_RECHECK_SECS;
		if (h->hurry_secs > HEALTH_RECHECK_MAX_S)
			h->hurry_secs = HEALTH_RECHECK_MAX_S;
		h->hurry_at = mono_ns + h->hurry_secs * NS_PER_SEC;
	}
	pthread_mutex_unlock(&h->lock);
	return hurry;
}

void health_view(struct health *h, uint64_t mono_ns, uint64_t wall_ms, struct health_view *view)
{
	uint64_t next;

	pthread_mutex_lock(&h->lock);
	*view = (struct health_view){
		.state = get(h->state),
		.consecutive_failures = get(h->failures),
		.last_success_unix_ms = get(h->last_success_unix_ms),
		.last_failure_unix_ms = get(h->last_failure_unix_ms),
		.since_unix_ms = get(h->since_unix_ms),
		.last_error = get(h->last_error),
	};
	next = h->probe_at;
	if (view->state == HEALTH_FAILED &&
	    (!next || h->recheck_at < next || mono_ns < h->held_until))
		next = h->recheck_at;
	pthread_mutex_unlock(&h->lock);
	if (next)
		view->next_check_unix_ms = wall_ms +
					   (next > mono_ns ? (next - mono_ns) / NS_PER_MS : 0);
}
