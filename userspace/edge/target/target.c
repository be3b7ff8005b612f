// SPDX-License-Identifier: MIT
/* One target of a rule and the totals of the rule: counters, references, reports to its health. */
#include "edge/target/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account/account.h"
#include "edge/target/hash.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

/* To which a repeated SYN may lift the usual connect time at once: the least time to a repetition. */
#define SLOW_LEAST_US 100000

struct rule_totals *totals_new(uint64_t rule_id, const struct target_watch *watch)
{
	struct rule_totals *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->refs = 1;
	t->rule_id = rule_id;
	t->watch = watch;
	pthread_mutex_init(&t->ejecting, NULL);
	t->n_cells = watch->n_workers ? watch->n_workers : 1;
	t->cells = totals_cells_new(t->n_cells);
	if (!t->cells) {
		free(t);
		return NULL;
	}
	return t;
}

void totals_count_ports(struct rule_totals *t)
{
	if (!atomic_load(&t->ports))
		atomic_store(&t->ports, port_counts_new(t->n_cells));
}

struct totals_sums totals_sum(const struct rule_totals *t)
{
	struct totals_sums s;

	totals_cells_sum(t->cells, t->n_cells, &s);
	return s;
}

uint64_t totals_active(const struct rule_totals *t)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < t->n_cells; i++)
		n += atomic_load_explicit(&t->cells[i].active, memory_order_relaxed);
	return n;
}

struct rule_totals *totals_ref(struct rule_totals *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void totals_unref(struct rule_totals *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&t->ejecting);
	port_counts_free(atomic_load(&t->ports), t->n_cells);
	free(t->cells);
	free(t);
}

struct target *target_new(struct rule_totals *totals, const char *host, uint16_t port)
{
	struct target *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->cells = target_cells_new(totals->n_cells);
	t->host = strdup(host);
	if (!t->host || !t->cells) {
		free(t->cells);
		free(t->host);
		free(t);
		return NULL;
	}
	t->refs = 1;
	t->port = port;
	t->key = hash_target(host, port);
	t->totals = totals_ref(totals);
	health_init(&t->health, clock_wall_ms());
	memory_init(&t->memory);
	return t;
}

void target_unref(struct target *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	memory_close(&t->memory);
	totals_unref(t->totals);
	free(t->strikes.at);
	free(t->cells);
	free(t->host);
	free(t);
}

struct target_sums target_sum(const struct target *t)
{
	struct target_sums s;

	target_cells_sum(t->cells, t->totals->n_cells, &s);
	return s;
}

uint64_t target_load(const struct target *t)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < t->totals->n_cells; i++)
		n += atomic_load_explicit(&t->cells[i].active, memory_order_relaxed) +
		     atomic_load_explicit(&t->cells[i].dialling, memory_order_relaxed);
	/* The workers' cells are not read at one instant. */
	return (int64_t)n < 0 ? 0 : n;
}

static const char *state_text(enum health_state s)
{
	return s == HEALTH_FAILED ? "failed" : "healthy";
}

/* Logs a transition and tells the watch; @err is what the last report was. */
static void announce(struct target *t, enum health_change change, int err)
{
	const struct target_watch *watch = t->totals->watch;
	enum health_state to = change == HEALTH_BECAME_FAILED ? HEALTH_FAILED : HEALTH_HEALTHY;
	char name[300];

	if (change == HEALTH_SAME)
		return;
	atomic_fetch_add(&t->totals->failovers, 1);
	snprintf(name, sizeof(name), "%s:%u", t->host, t->port);
	log_event(to == HEALTH_FAILED ? LOG_WARN : LOG_INFO, "rule.target.health_changed",
		  LOGF_UINT("rule", t->totals->rule_id), LOGF_STR("target", name),
		  LOGF_STR("from",
			   state_text(to == HEALTH_FAILED ? HEALTH_HEALTHY : HEALTH_FAILED)),
		  LOGF_STR("to", state_text(to)),
		  LOGF_STR("cause", err ? health_cause_text(err) : "connects succeed again"));
	watch->changed(watch->arg, t, to);
}

static bool is_monitored(const struct target *t)
{
	return atomic_load_explicit(&t->monitored, memory_order_relaxed);
}

void target_report(struct target *t, int err)
{
	if (is_monitored(t))
		announce(t, health_report(&t->health, err, clock_mono_ns(), clock_wall_ms()), err);
}

void target_connected(struct target *t, bool check)
{
	if (!atomic_load_explicit(&t->talks, memory_order_relaxed))
		target_report(t, 0);
	else if (!check && is_monitored(t))
		health_connected(&t->health, clock_wall_ms());
}

void target_eject(struct target *t, uint32_t for_secs)
{
	if (is_monitored(t))
		announce(t, health_eject(&t->health, for_secs, clock_mono_ns(), clock_wall_ms()),
			 HEALTH_EJECTED);
}

/* Whether another port of the target's range was refused within the window; remembers this one. */
static bool another_refused(struct target *t, uint16_t port)
{
	const uint64_t mask = (1ull << 48) - 1, now = clock_mono_ns() / NS_PER_MS & mask;
	uint64_t last = atomic_exchange(&t->refused, (uint64_t)port << 48 | now);

	return last && last >> 48 != port && ((now - last) & mask) <= HEALTH_WINDOW_SECS * 1000ull;
}

void target_report_port(struct target *t, uint16_t port, int err)
{
	if (err != ECONNREFUSED || port == t->port || another_refused(t, port))
		target_report(t, err);
}

static unsigned us_of(uint64_t ns)
{
	return (unsigned)(ns / NS_PER_US > 10000000 ? 10000000 : ns / NS_PER_US) + 1;
}

void target_store_written(struct target *t, struct account *a)
{
	struct target_sums s;

	if (!t->udp || !t->slot)
		return;
	s = target_sum(t);
	account_store_written(a, t->slot, s.written_in, s.written_out);
}

void target_learn_connect_time(struct target *t, uint64_t ns)
{
	unsigned us = us_of(ns), old = atomic_load_explicit(&t->connect_us, memory_order_relaxed);
	/* Less than half of what is usual: that was the bound of a handshake with a repeated SYN. */
	unsigned now = old && old <= 2 * us ? old - old / 8 + us / 8 : us;

	/* Two workers at once may lose one sample; not written for a sample within an eighth of it,
	 * so that the workers do not pass the cache line to and fro. */
	if (now > old + old / 64 || now < old - old / 64)
		atomic_store_explicit(&t->connect_us, now, memory_order_relaxed);
}

void target_learn_slow_connect(struct target *t, uint64_t ns, bool exact)
{
	unsigned us = us_of(ns), old = atomic_load_explicit(&t->connect_us, memory_order_relaxed);
	unsigned most = 2 * old < SLOW_LEAST_US ? SLOW_LEAST_US : 2 * old;

	if (us > old)
		atomic_store_explicit(&t->connect_us, old && us > most ? most : us,
				      memory_order_relaxed);
	else if (exact)
		target_learn_connect_time(t, ns);
}
