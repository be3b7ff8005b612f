// SPDX-License-Identifier: MIT
/* Writes families and rows in Prometheus' text format. */
#include "api/call/prometheus.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include "api/call/histogram.h"
#include "lib/base/utf8.h"

/* Label values escape backslash, quote and line feed; a byte that is not UTF-8 becomes '?'. */
static void put_escaped(struct evbuffer *out, const char *text)
{
	for (size_t left = strlen(text), n; left; text += n, left -= n) {
		n = utf8_len(text, left);
		if (strchr("\\\"\n", *text))
			evbuffer_add_printf(out, "\\%c", *text == '\n' ? 'n' : *text);
		else
			evbuffer_add(out, n ? text : "?", n ? n : 1);
		n = n ? n : 1;
	}
}

static void put_value(struct evbuffer *out, double value)
{
	/* Doubles are whole up to 2^53; beyond that a counter has lost its last digits anyway. */
	if (value >= 0 && value < 9007199254740992.0 && value == (double)(unsigned long long)value)
		evbuffer_add_printf(out, "%llu\n", (unsigned long long)value);
	else
		evbuffer_add_printf(out, "%.15g\n", value);
}

static void begin(struct prom_family *f)
{
	if (!f->begun)
		evbuffer_add_printf(f->out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help,
				    f->name, f->type);
	f->begun = true;
}

void prom_row(struct prom_family *f, const struct prom_label *labels, size_t n, double value)
{
	begin(f);
	evbuffer_add_printf(f->out, "%s%s", f->name, n ? "{" : "");
	for (size_t i = 0; i < n; i++) {
		evbuffer_add_printf(f->out, "%s%s=\"", i ? "," : "", labels[i].name);
		put_escaped(f->out, labels[i].value);
		evbuffer_add(f->out, "\"", 1);
	}
	evbuffer_add_printf(f->out, "%s ", n ? "}" : "");
	put_value(f->out, value);
}

/* A row of one of the series that a histogram has; @le NULL: none of its buckets. */
static void put_part(struct prom_family *f, const char *part, const struct prom_label *labels,
		     size_t n, const char *le, double value)
{
	evbuffer_add_printf(f->out, "%s_%s%s", f->name, part, n || le ? "{" : "");
	for (size_t i = 0; i < n; i++) {
		evbuffer_add_printf(f->out, "%s%s=\"", i ? "," : "", labels[i].name);
		put_escaped(f->out, labels[i].value);
		evbuffer_add(f->out, "\"", 1);
	}
	if (le)
		evbuffer_add_printf(f->out, "%sle=\"%s\"", n ? "," : "", le);
	evbuffer_add_printf(f->out, "%s ", n || le ? "}" : "");
	put_value(f->out, value);
}

void prom_buckets(struct prom_family *f, const struct prom_label *labels, size_t n_labels,
		  const double *bounds, const uint64_t *below, size_t n_bounds, uint64_t n,
		  double sum)
{
	char le[32];

	begin(f);
	for (size_t i = 0; i < n_bounds; i++) {
		snprintf(le, sizeof(le), "%g", bounds[i]);
		put_part(f, "bucket", labels, n_labels, le, (double)below[i]);
	}
	put_part(f, "bucket", labels, n_labels, "+Inf", (double)n);
	put_part(f, "sum", labels, n_labels, NULL, sum);
	put_part(f, "count", labels, n_labels, NULL, (double)n);
}

void prom_histogram(struct evbuffer *out, const char *name, const char *help,
		    const struct histogram *h)
{
	struct prom_family f = {out, name, "histogram", help, false};
	uint64_t below = 0;

	begin(&f);
	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		below += h->counts[i];
		evbuffer_add_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name, histogram_bounds[i],
				    (unsigned long long)below);
	}
	evbuffer_add_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum ", name,
			    (unsigned long long)h->n, name);
	put_value(out, h->sum);
	evbuffer_add_printf(out, "%s_count %llu\n", name, (unsigned long long)h->n);
}
