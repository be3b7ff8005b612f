// SPDX-License-Identifier: MIT
/* The figures of a record: copied out of the pinned map, added up, compared. */
#include "edge/account/record.h"

#include <string.h>

#include "bpf/account.h"

#define FIGURES_AT offsetof(struct account_target, bytes_in)
#define FIGURES	   (sizeof(struct account_record) / sizeof(uint64_t))

_Static_assert(sizeof(struct account_target) == FIGURES_AT + sizeof(struct account_record),
	       "the figures are the end of the kernel's record");

#define FIGURE(name, kind) {#name, offsetof(struct account_record, name), 1, ACCOUNT_FIGURE_##kind},
#define FIGURE_ARRAY(name, kind, n) \
	{#name, offsetof(struct account_record, name), n, ACCOUNT_FIGURE_##kind},

static const struct account_figure figures[] = {ACCOUNT_FIGURES(FIGURE, FIGURE_ARRAY)};

const struct account_figure *account_figures(size_t *n)
{
	*n = sizeof(figures) / sizeof(figures[0]);
	return figures;
}

static void add(uint64_t *sum, const uint64_t *more, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += more[i];
}

void account_record_add(struct account_record *sum, const struct account_record *r)
{
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		const struct account_figure *f = &figures[i];
		uint64_t *to = (uint64_t *)((char *)sum + f->at);
		const uint64_t *from = (const uint64_t *)((const char *)r + f->at);

		if (f->kind & (ACCOUNT_FIGURE_SUM | ACCOUNT_FIGURE_HISTOGRAM))
			add(to, from, f->n);
		else if (f->kind == ACCOUNT_FIGURE_MAX && *from > *to)
			*to = *from;
	}
}

/* The first figure that differs decides as all others would. */
bool account_record_includes(const struct account_record *r, const struct account_record *other)
{
	const uint64_t *x = (const uint64_t *)r, *y = (const uint64_t *)other;

	for (size_t i = 0; i < FIGURES; i++)
		if (x[i] != y[i])
			return x[i] > y[i];
	return true;
}

void account_record_of(const struct account_target *t, struct account_record *out)
{
	memcpy(out, (const char *)t + FIGURES_AT, sizeof(*out));
}

void account_record_store(const struct account_record *r, struct account_target *t)
{
	memcpy((char *)t + FIGURES_AT, r, sizeof(*r));
}
