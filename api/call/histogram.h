/* SPDX-License-Identifier: MIT */
/* The bounds of histograms. */
#ifndef PORTUNUS_API_CALL_HISTOGRAM_H
#define PORTUNUS_API_CALL_HISTOGRAM_H

#include <stdint.h>

/* How long something took, for Prometheus: counted by upper bounds from 1 ms to 10 s. */
#define HISTOGRAM_BOUNDS 13

struct histogram {
	uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* each above the bound before; the last above all */
	uint64_t n;
	double sum;
};

extern const double histogram_bounds[HISTOGRAM_BOUNDS]; /* seconds */

static inline void histogram_add(struct histogram *h, double seconds)
{
	unsigned i = 0;

	while (i < HISTOGRAM_BOUNDS && seconds > histogram_bounds[i])
		i++;
	h->counts[i]++;
	h->n++;
	h->sum += seconds;
}

#endif
