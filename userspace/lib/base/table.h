/* SPDX-License-Identifier: MIT */
/* Tables that people read: aligned columns, by libsmartcols. */
#ifndef PORTUNUS_LIB_BASE_TABLE_H
#define PORTUNUS_LIB_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct column {
	const char *title;
	bool right;    /* numbers */
	bool optional; /* on a terminal left out while all its cells are "-" */
	bool cut;      /* may be shortened to fit a terminal */
};

/* Cells by row, each as wide as its column's widest. All zero but for the columns: empty. */
struct table {
	const struct column *columns;
	unsigned n_columns;
	char **cells;
	size_t n, room;
	bool failed; /* for want of memory: prints nothing */
};

void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * With the titles, two blanks between columns and none at the end of a line; wide characters take the
 * room that a terminal gives them, whatever the locale. Empties the table.
 */
void table_print(struct table *t, FILE *out);

#endif
