// SPDX-License-Identifier: MIT
/* The workers' counters: made, and added up. */
#include "edge/target/cells.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void *cells_new(size_t size, unsigned n)
{
	void *cells = aligned_alloc(64, size * n);

	return cells ? memset(cells, 0, size * n) : NULL;
}

struct target_cell *target_cells_new(unsigned n)
{
	return cells_new(sizeof(struct target_cell), n);
}

struct totals_cell *totals_cells_new(unsigned n)
{
	return cells_new(sizeof(struct totals_cell), n);
}

/* One counter over @n cells of that size. */
static uint64_t sum(const void *cells, size_t size, unsigned n, size_t at)
{
	const char *cell = (const char *)cells + at;
	uint64_t all = 0;

	for (; n; n--, cell += size)
		all += atomic_load_explicit((const atomic_ullong *)cell, memory_order_relaxed);
	return all;
}

void target_cells_sum(const struct target_cell *cells, unsigned n, struct target_sums *out)
{
#define SUM(name) out->name = sum(cells, sizeof(*cells), n, offsetof(struct target_cell, name));
	TARGET_COUNTS(SUM)
#undef SUM
}

void totals_cells_sum(const struct totals_cell *cells, unsigned n, struct totals_sums *out)
{
#define SUM(name) out->name = sum(cells, sizeof(*cells), n, offsetof(struct totals_cell, name));
	TOTALS_COUNTS(SUM)
#undef SUM
	for (unsigned i = 0; i < END_REASONS; i++)
		out->ended[i] =
			sum(cells, sizeof(*cells), n,
			    offsetof(struct totals_cell, ended) + i * sizeof(atomic_ullong));
	for (unsigned i = 0; i < PATH_REASONS; i++)
		out->kept[i] = sum(cells, sizeof(*cells), n,
				   offsetof(struct totals_cell, kept) + i * sizeof(atomic_ullong));
}
