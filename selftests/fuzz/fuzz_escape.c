// SPDX-License-Identifier: MIT
/* The escapes of what checks send and expect: within the buffer, and the same bytes when escaped again. */
#include "lib/rule/escape.c"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	size_t len = strlen(text);
	uint8_t *bytes = malloc(len + 1), *again = malloc(len + 1);
	ssize_t n = rule_unescape(text, bytes, len);

	/* No text has more bytes than characters. */
	if (n == -E2BIG || n > (ssize_t)len)
		abort();
	if (n > 0) {
		char *hex = malloc(4 * (size_t)n + 1);

		for (ssize_t i = 0; i < n; i++)
			sprintf(hex + 4 * i, "\\x%02x", bytes[i]);
		if (rule_unescape(hex, again, (size_t)n) != n || memcmp(bytes, again, (size_t)n))
			abort();
		/* One byte less is too little room, and is said. */
		if (rule_unescape(text, again, (size_t)n - 1) != -E2BIG)
			abort();
		free(hex);
	}
	free(again);
	free(bytes);
	free(text);
	return 0;
}
