// SPDX-License-Identifier: MIT
/* Text that people read: numbers with units, spans of time, aligned tables. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "edge/verbs_internal.h"

char *text_bytes(uint64_t n, char *buf)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)n;
	unsigned u = 0;

	if (n < 1024) {
		snprintf(buf, TEXT_SIZE, "%u B", (unsigned)n);
		return buf;
	}
	/* 1023.5 would be shown as 1024. */
	for (v /= 1024; v >= 1023.5 && u < 5; v /= 1024)
		u++;
	snprintf(buf, TEXT_SIZE, v < 99.95 ? "%.1f %s" : "%.0f %s", v, units[u]);
	return buf;
}

char *text_span(uint64_t ms, char *buf)
{
	static const struct {
		uint64_t from_ms, unit_ms;
		const char *name;
	} spans[] = {
		{2 * 86400000ull, 86400000, "d"},
		{2 * 3600000, 3600000, "h"},
		{2 * 60000, 60000, "min"},
		{1000, 1000, "s"},
		{0, 1, "ms"},
	};
	size_t i = 0;

	while (ms < spans[i].from_ms)
		i++;
	snprintf(buf, TEXT_SIZE, "%llu %s", (unsigned long long)(ms / spans[i].unit_ms),
		 spans[i].name);
	return buf;
}

char *text_since(uint64_t then_ms, uint64_t now_ms, char *buf)
{
	char span[TEXT_SIZE];

	if (!then_ms)
		return strcpy(buf, "-");
	if (then_ms + 1000 > now_ms)
		return strcpy(buf, "now");
	snprintf(buf, TEXT_SIZE, "%.20s ago", text_span(now_ms - then_ms, span));
	return buf;
}

char *text_until(uint64_t then_ms, uint64_t now_ms, char *buf)
{
	char span[TEXT_SIZE];

	if (!then_ms)
		return strcpy(buf, "-");
	if (then_ms <= now_ms)
		return strcpy(buf, "now");
	snprintf(buf, TEXT_SIZE, "in %.20s", text_span(then_ms - now_ms, span));
	return buf;
}

char *text_us(uint64_t us, char *buf)
{
	double ms = (double)us / 1000;

	if (!us)
		return strcpy(buf, "-");
	if (us < 1000)
		snprintf(buf, TEXT_SIZE, "%u us", (unsigned)us);
	else
		snprintf(buf, TEXT_SIZE, ms < 99.95 ? "%.1f ms" : "%.0f ms", ms);
	return buf;
}

void table_cell(struct table *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		char **more = realloc(t->cells, room * sizeof(*more));

		if (!more) {
			t->failed = true;
			return;
		}
		t->cells = more;
		t->room = room;
	}
	va_start(ap, fmt);
	n = vasprintf(&t->cells[t->n], fmt, ap);
	va_end(ap);
	if (n < 0)
		t->failed = true;
	else
		t->n++;
}

/* Characters, not bytes: what continues a UTF-8 sequence takes no room. */
static int width(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void print_row(const struct table *t, FILE *out, const int *widths, char *const *cells)
{
	int owed = 0; /* blanks, written only when something follows them */

	for (unsigned i = 0; i < t->n_columns; i++) {
		const char *text = cells ? cells[i] : t->columns[i].title;
		int pad = widths[i] - width(text);

		if (*text) {
			fprintf(out, "%*s%s", owed + (t->columns[i].right ? pad : 0), "", text);
			owed = t->columns[i].right ? 0 : pad;
		} else {
			owed += pad;
		}
		owed += 2;
	}
	fputc('\n', out);
}

void table_print(struct table *t, FILE *out)
{
	int *widths = calloc(t->n_columns, sizeof(*widths));

	if (widths && !t->failed) {
		for (unsigned i = 0; i < t->n_columns; i++)
			widths[i] = width(t->columns[i].title);
		for (size_t i = 0; i < t->n; i++) {
			int w = width(t->cells[i]);

			if (w > widths[i % t->n_columns])
				widths[i % t->n_columns] = w;
		}
		print_row(t, out, widths, NULL);
		for (size_t i = 0; i + t->n_columns <= t->n; i += t->n_columns)
			print_row(t, out, widths, t->cells + i);
	}
	free(widths);
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->n = t->room = 0;
}
