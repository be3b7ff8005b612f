// SPDX-License-Identifier: MIT
/* Writes families and rows in Prometheus' text format. */
#include "api/prometheus.h"

#include <string.h>

#include <event2/buffer.h>

/* Label values escape backslash, quote and line feed, nothing else. */
static void put_escaped(struct evbuffer *out, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\\\"\n");

		evbuffer_add(out, text, n);
		text += n;
		if (*text) {
			evbuffer_add_printf(out, "\\%c", *text == '\n' ? 'n' : *text);
			text++;
		}
	}
}

void prom_row(struct prom_family *f, const struct prom_label *labels, size_t n, double value)
{
	if (!f->begun)
		evbuffer_add_printf(f->out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help,
				    f->name, f->type);
	f->begun = true;
	evbuffer_add_printf(f->out, "%s%s", f->name, n ? "{" : "");
	for (size_t i = 0; i < n; i++) {
		evbuffer_add_printf(f->out, "%s%s=\"", i ? "," : "", labels[i].name);
		put_escaped(f->out, labels[i].value);
		evbuffer_add(f->out, "\"", 1);
	}
	evbuffer_add_printf(f->out, "%s ", n ? "}" : "");
	/* Doubles are whole up to 2^53; beyond that a counter has lost its last digits anyway. */
	if (value >= 0 && value < 9007199254740992.0 && value == (double)(unsigned long long)value)
		evbuffer_add_printf(f->out, "%llu\n", (unsigned long long)value);
	else
		evbuffer_add_printf(f->out, "%.15g\n", value);
}
