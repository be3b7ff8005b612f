// SPDX-License-Identifier: MIT
/* What is remembered of the single addresses of one target: which of them did not work. */
#include "edge/target/memory.h"

#include <stdlib.h>

#include "lib/base/clock.h"

struct memory_mark {
	union addr addr;
	uint32_t secs;	    /* how long the address comes last after a failure */
	uint64_t failed_at; /* the last time */
	uint64_t until;
};

_Static_assert(RESOLVE_ADDRS_MAX <= 32 && RESOLVE_ADDRS_MAX <= MEMORY_MAX,
	       "a bit, and a mark, for each address");

void memory_init(struct memory *m)
{
	pthread_mutex_init(&m->lock, NULL);
}

void memory_close(struct memory *m)
{
	pthread_mutex_destroy(&m->lock);
	free(m->marks);
}

static bool is_empty(const struct memory *m)
{
	return !atomic_load_explicit(&m->n, memory_order_relaxed);
}

static struct memory_mark *find(const struct memory *m, const union addr *a)
{
	unsigned n = atomic_load_explicit(&m->n, memory_order_relaxed);

	for (unsigned i = 0; i < n; i++)
		if (addr_same_host(&m->marks[i].addr, a))
			return &m->marks[i];
	return NULL;
}

/* A new mark; of too many the oldest goes. NULL for memory. */
static struct memory_mark *add(struct memory *m, const union addr *a)
{
	unsigned n = atomic_load_explicit(&m->n, memory_order_relaxed);
	struct memory_mark *mark;

	if (!m->marks)
		m->marks = calloc(MEMORY_MAX, sizeof(*m->marks));
	if (!m->marks)
		return NULL;
	if (n < MEMORY_MAX) {
		mark = &m->marks[n];
		atomic_store_explicit(&m->n, n + 1, memory_order_relaxed);
	} else {
		mark = m->marks;
		for (unsigned i = 1; i < n; i++)
			if (m->marks[i].failed_at < mark->failed_at)
				mark = &m->marks[i];
	}
	*mark = (struct memory_mark){.addr = *a};
	return mark;
}

void memory_failed(struct memory *m, const union addr *a, uint64_t now)
{
	struct memory_mark *mark;

	pthread_mutex_lock(&m->lock);
	mark = find(m, a);
	if (!mark)
		mark = add(m, a);
	/* Of many that fail at the same time only the first makes the time longer. */
	if (mark && (!mark->secs || now >= mark->failed_at + MEMORY_TRIAL_SECS * NS_PER_SEC)) {
		mark->secs = mark->secs ? mark->secs * 2 : MEMORY_SECS;
		if (mark->secs > MEMORY_SECS_MAX)
			mark->secs = MEMORY_SECS_MAX;
	}
	if (mark) {
		mark->failed_at = now;
		mark->until = now + mark->secs * NS_PER_SEC;
	}
	pthread_mutex_unlock(&m->lock);
}

void memory_worked(struct memory *m, const union addr *a)
{
	struct memory_mark *mark;

	if (is_empty(m))
		return;
	pthread_mutex_lock(&m->lock);
	mark = find(m, a);
	if (mark) {
		unsigned n = atomic_fetch_sub_explicit(&m->n, 1, memory_order_relaxed);

		*mark = m->marks[n - 1];
	}
	pthread_mutex_unlock(&m->lock);
}

uint32_t memory_arrange(struct memory *m, struct resolve_addrs *addrs, uint64_t now)
{
	struct memory_mark *mark[RESOLVE_ADDRS_MAX];
	struct resolve_addrs sorted = {.n = 0};
	uint32_t trials = 0;

	if (addrs->n < 2 || is_empty(m))
		return 0;
	pthread_mutex_lock(&m->lock);
	for (unsigned i = 0; i < addrs->n; i++) {
		mark[i] = find(m, &addrs->addr[i]);
		if (mark[i] && mark[i]->until > now)
			continue;
		if (mark[i]) {
			mark[i]->until = now + MEMORY_TRIAL_SECS * NS_PER_SEC;
			trials |= 1u << sorted.n;
			mark[i] = NULL;
		}
		sorted.addr[sorted.n++] = addrs->addr[i];
	}
	while (sorted.n < addrs->n) {
		int oldest = -1;

		for (unsigned i = 0; i < addrs->n; i++)
			if (mark[i] && (oldest < 0 || mark[i]->failed_at < mark[oldest]->failed_at))
				oldest = (int)i;
		if (oldest < 0)
			break;
		sorted.addr[sorted.n++] = addrs->addr[oldest];
		mark[oldest] = NULL;
	}
	pthread_mutex_unlock(&m->lock);
	*addrs = sorted;
	return trials;
}
