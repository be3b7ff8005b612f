// SPDX-License-Identifier: MIT
/* Tables that people read: aligned columns, by libsmartcols. */
#include "lib/base/table.h"

#include <libsmartcols.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static bool is_used(const struct table *t, unsigned column)
{
	for (size_t i = column; i < t->n; i += t->n_columns)
		if (strcmp(t->cells[i], "-"))
			return true;
	return false;
}

static int flags_of(const struct table *t, unsigned column, bool terminal)
{
	const struct column *c = &t->columns[column];

	return (c->right ? SCOLS_FL_RIGHT : 0) | (terminal && c->cut ? SCOLS_FL_TRUNC : 0) |
	       (terminal && c->optional && !is_used(t, column) ? SCOLS_FL_HIDDEN : 0);
}

/* Hands the cells to @tb. False for want of memory. */
static bool fill(const struct table *t, struct libscols_table *tb, bool terminal)
{
	for (unsigned i = 0; i < t->n_columns; i++)
		if (!scols_table_new_column(tb, t->columns[i].title, 0, flags_of(t, i, terminal)))
			return false;
	for (size_t row = 0; row + t->n_columns <= t->n; row += t->n_columns) {
		struct libscols_line *line = scols_table_new_line(tb, NULL);

		if (!line)
			return false;
		for (unsigned i = 0; i < t->n_columns; i++) {
			if (scols_line_refer_data(line, i, t->cells[row + i]))
				return false;
			/* It is the table's now. */
			t->cells[row + i] = NULL;
		}
	}
	return true;
}

/* libsmartcols prints nothing at all for a table without a row. */
static void print_titles(const struct table *t, FILE *out)
{
	for (unsigned i = 0; i < t->n_columns; i++)
		fprintf(out, "%s%s", i ? "  " : "", t->columns[i].title);
	fputc('\n', out);
}

void table_print(struct table *t, FILE *out)
{
	/* Every text is UTF-8; in a locale of another kind libsmartcols would escape it. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
	locale_t before = utf8 ? uselocale(utf8) : NULL;
	struct libscols_table *tb = scols_new_table();
	bool cuts = false, terminal = isatty(fileno(out));

	for (unsigned i = 0; i < t->n_columns; i++)
		cuts |= t->columns[i].cut;
	if (!t->n && !t->failed) {
		print_titles(t, out);
	} else if (tb && !t->failed && fill(t, tb, terminal)) {
		scols_table_set_stream(tb, out);
		scols_table_set_column_separator(tb, "  ");
		scols_table_enable_minout(tb, 1);
		if (!terminal || !cuts)
			scols_table_set_termforce(tb, SCOLS_TERMFORCE_NEVER);
		scols_print_table(tb);
	}
	scols_unref_table(tb);
	if (utf8) {
		uselocale(before);
		freelocale(utf8);
	}
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->n = t->room = 0;
}
