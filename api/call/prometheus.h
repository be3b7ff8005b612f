/* SPDX-License-Identifier: MIT */
/* Writes families and rows in Prometheus' text format. */
#ifndef PORTUNUS_API_CALL_PROMETHEUS_H
#define PORTUNUS_API_CALL_PROMETHEUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The text format of Prometheus, version 0.0.4. */
struct evbuffer;

struct prom_family {
	struct evbuffer *out;
	const char *name, *type, *help;
	bool begun; /* HELP and TYPE were written: with the first row */
};

struct prom_label {
	const char *name, *value; /* sorted by name */
};

struct histogram;

/* Adds a row. A whole number is written without a decimal point. */
void prom_row(struct prom_family *f, const struct prom_label *labels, size_t n, double value);
/* Adds the rows of a histogram with @labels: @below has the count up to each bound, @n all. */
void prom_buckets(struct prom_family *f, const struct prom_label *labels, size_t n_labels,
		  const double *bounds, const uint64_t *below, size_t n_bounds, uint64_t n,
		  double sum);
/* Adds a family of type histogram. */
void prom_histogram(struct evbuffer *out, const char *name, const char *help,
		    const struct histogram *h);

#endif
