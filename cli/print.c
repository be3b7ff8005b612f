// SPDX-License-Identifier: MIT
/* Printing of JSON, and reading its members. */
#include "cli/print.h"

#include <stdio.h>

void print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	putchar('\n');
}

void print_done(const char *key, json_t *value)
{
	json_t *o = json_pack("{s:o}", key, value);

	print_json(o);
	json_decref(o);
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
