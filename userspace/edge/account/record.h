/* SPDX-License-Identifier: MIT */
/* The figures of a record: copied out of the pinned map, added up, compared. */
#ifndef PORTUNUS_EDGE_ACCOUNT_RECORD_H
#define PORTUNUS_EDGE_ACCOUNT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/record.h"

struct account_target;

#define ACCOUNT_RECORD_FIGURE(name, kind)	   uint64_t name;
#define ACCOUNT_RECORD_FIGURE_ARRAY(name, kind, n) uint64_t name[n];

/* A copy of the figures of one record of the pinned map; bpf/record.h says what each is. */
struct account_record {
	ACCOUNT_FIGURES(ACCOUNT_RECORD_FIGURE, ACCOUNT_RECORD_FIGURE_ARRAY)
};

/* What the figures of several records make together. Bits, so that they can be asked for. */
enum account_figure_kind {
	ACCOUNT_FIGURE_SUM = 1 << 0,
	ACCOUNT_FIGURE_MAX = 1 << 1,
	ACCOUNT_FIGURE_HISTOGRAM = 1 << 2, /* an array of sums */
	ACCOUNT_FIGURE_LATEST = 1 << 3,	   /* nothing: each target has its own */
	ACCOUNT_FIGURE_ERROR = 1 << 4,	   /* the same, of an errno */
};

struct account_figure {
	const char *name;
	size_t at; /* in the record */
	size_t n;  /* 64-bit numbers */
	enum account_figure_kind kind;
};

/* All figures, in the order of the record; @n gets their number. */
const struct account_figure *account_figures(size_t *n);

/* Adds what adds up; averages and the last error of @sum stay as they are. */
void account_record_add(struct account_record *sum, const struct account_record *r);
/* Of two sums, one of which was made of the other: whether that one is @r, or both are equal. */
bool account_record_includes(const struct account_record *r, const struct account_record *other);

/* The figures of a kernel's record, and back. */
void account_record_of(const struct account_target *t, struct account_record *out);
void account_record_store(const struct account_record *r, struct account_target *t);

#endif
