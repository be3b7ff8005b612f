// SPDX-License-Identifier: MIT
/* Texts of any content as JSON. */
#include "api/call/json.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"

json_t *json_text(const char *text)
{
	json_t *o;
	char *copy;
	size_t n;

	if (!text)
		return json_null();
	o = json_string(text);
	if (o)
		return o;
	n = strlen(text);
	copy = malloc(n + 1);
	if (!copy)
		return NULL;
	n = utf8_copy(copy, n + 1, text, n);
	o = json_stringn(copy, n);
	free(copy);
	return o;
}

json_t *json_text_or_null(const char *text)
{
	return text && *text ? json_text(text) : json_null();
}
