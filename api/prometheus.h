/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_API_PROMETHEUS_H
#define PORTUNUS_API_PROMETHEUS_H

#include <stdbool.h>
#include <stddef.h>

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

/* Adds a row. A whole number is written without a decimal point. */
void prom_row(struct prom_family *f, const struct prom_label *labels, size_t n, double value);

#endif
