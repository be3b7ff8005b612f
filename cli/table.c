// SPDX-License-Identifier: MIT
/* Printing: aligned columns and JSON. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/verb.h"

static int code_points(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void table_line(const int *widths, const char *const *cells, int n)
{
	for (int i = 0; i < n; i++) {
		int pad = widths[i] - code_points(cells[i]);

		printf("%s%s%*s", i ? " " : "", cells[i], pad > 0 ? pad : 0, "");
	}
	putchar('\n');
}

void print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	putchar('\n');
}

const char *text_of(const json_t *o, const char *key, const char *fallback)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : fallback;
}

long long number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}
