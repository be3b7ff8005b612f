// SPDX-License-Identifier: MIT
/* An envelope of caps in force, of a rule or of an owner: what it admits, and what it counts. */
#include "edge/admit/envelope.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct envelope_cell) == 64, "one line a worker");

/* The cell is the calling thread's own: nobody else writes it. */
static void add(atomic_ullong *v, uint64_t n)
{
	atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static void add_active(struct envelope_cell *cell, unsigned n)
{
	unsigned now = atomic_load_explicit(&cell->active, memory_order_relaxed);

	atomic_store_explicit(&cell->active, now + n, memory_order_relaxed);
}

struct envelope *envelope_new(unsigned n_workers)
{
	struct envelope *e = calloc(1, sizeof(*e));
	size_t size = sizeof(*e->cells) * (n_workers ? n_workers : 1);

	if (!e)
		return NULL;
	e->cells = aligned_alloc(64, size);
	if (!e->cells) {
		free(e);
		return NULL;
	}
	memset(e->cells, 0, size);
	e->n_cells = n_workers ? n_workers : 1;
	e->refs = 1;
	pthread_mutex_init(&e->lock, NULL);
	return e;
}

struct envelope *envelope_ref(struct envelope *e)
{
	if (e)
		atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
	return e;
}

void envelope_unref(struct envelope *e)
{
	if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&e->lock);
	free(e->cells);
	free(e);
}

bool envelope_set(struct envelope *e, const struct rate_limit *limit, uint64_t now_ns)
{
	bool changed = !rate_limit_equal(&e->limit, limit);

	e->limit = *limit;
	changed |= bucket_set(&e->bytes[ADMIT_IN], rate_limit_value(limit, LIMIT_IN_BPS),
			      rate_limit_burst(limit, LIMIT_IN_BPS), now_ns);
	changed |= bucket_set(&e->bytes[ADMIT_OUT], rate_limit_value(limit, LIMIT_OUT_BPS),
			      rate_limit_burst(limit, LIMIT_OUT_BPS), now_ns);
	changed |= bucket_set(&e->fresh, rate_limit_value(limit, LIMIT_NEW_PER_SEC),
			      rate_limit_burst(limit, LIMIT_NEW_PER_SEC), now_ns);
	atomic_store(&e->concurrent, (unsigned)rate_limit_value(limit, LIMIT_CONCURRENT));
	return changed;
}

static uint64_t active(const struct envelope *e)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < e->n_cells; i++)
		n += atomic_load_explicit(&e->cells[i].active, memory_order_relaxed);
	return n;
}

/* Whoever is let in holds the lock, and whoever leaves makes the sum smaller: it never exceeds the cap. */
static bool take_slot(struct envelope *e, struct envelope_cell *cell)
{
	unsigned most = atomic_load_explicit(&e->concurrent, memory_order_relaxed);
	bool room = true;

	if (most) {
		pthread_mutex_lock(&e->lock);
		room = active(e) < most;
	}
	if (room)
		add_active(cell, 1);
	if (most)
		pthread_mutex_unlock(&e->lock);
	return room;
}

bool envelope_enter(struct envelope *e, unsigned worker, bool udp, uint64_t now_ns)
{
	struct envelope_cell *cell = &e->cells[worker];

	if (!bucket_take_whole(&e->fresh, now_ns)) {
		add(&cell->refused[udp ? REFUSED_FLOW_RATE : REFUSED_CONN_RATE], 1);
		return false;
	}
	if (take_slot(e, cell))
		return true;
	bucket_give_back(&e->fresh, 1);
	add(&cell->refused[REFUSED_CONCURRENT], 1);
	return false;
}

void envelope_adopt(struct envelope *e, unsigned worker)
{
	add_active(&e->cells[worker], 1);
}

void envelope_leave(struct envelope *e, unsigned worker)
{
	add_active(&e->cells[worker], -1u);
}

void envelope_take_back(struct envelope *e, unsigned worker)
{
	envelope_leave(e, worker);
	bucket_give_back(&e->fresh, 1);
}

void envelope_throttled(struct envelope *e, unsigned worker, unsigned direction, uint64_t us)
{
	add(&e->cells[worker].throttled_us[direction], us);
}

void envelope_dropped(struct envelope *e, unsigned worker, unsigned datagrams)
{
	add(&e->cells[worker].dropped, datagrams);
}

void envelope_read(const struct envelope *e, struct envelope_figures *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < e->n_cells; i++) {
		const struct envelope_cell *cell = &e->cells[i];

		for (unsigned k = 0; k < REFUSALS; k++)
			out->refused[k] += atomic_load_explicit(&cell->refused[k],
								memory_order_relaxed);
		for (unsigned k = 0; k < 2; k++)
			out->throttled_us[k] += atomic_load_explicit(&cell->throttled_us[k],
								     memory_order_relaxed);
		out->dropped += atomic_load_explicit(&cell->dropped, memory_order_relaxed);
	}
	/* A sum over cells of which one has been read before its neighbour's change. */
	out->active = (uint32_t)active(e);
}
