// SPDX-License-Identifier: MIT
/* Breaks the lines of help texts. */
#include "lib/base/wrap.h"

#include <string.h>

void wrap_print(FILE *out, const char *text, int indent)
{
	size_t room = (size_t)(WRAP_COLUMNS - indent);

	for (;;) {
		size_t n = strlen(text), end = n;

		if (n > room) {
			for (end = room; end > 0 && text[end] != ' '; end--)
				;
			if (end == 0)
				end = strcspn(text, " ");
		}
		fprintf(out, "%.*s\n", (int)end, text);
		text += end + strspn(text + end, " ");
		if (!*text)
			break;
		fprintf(out, "%*s", indent, "");
	}
}
