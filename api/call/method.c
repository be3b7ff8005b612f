// SPDX-License-Identifier: MIT
/* The methods of HTTP that the API knows. */
#include "api/call/method.h"

#include <string.h>

/* In the order of their bits. */
static const char *const texts[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "OTHER"};

const char *method_text(enum method method)
{
	return texts[__builtin_ctz(method)];
}

enum method method_parse(const char *text)
{
	enum method m = METHOD_GET;

	while (m != METHOD_OTHER && strcmp(method_text(m), text))
		m <<= 1;
	return m;
}
