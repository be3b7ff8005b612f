// SPDX-License-Identifier: MIT
/* Patterns of server names, and what rules that share a port need to differ in. */
#include "lib/rule/sni.h"

#include <string.h>

#include "lib/rule/rule.h"

#define LABEL_MAX 63
#define BLANKS	  " \t\r\n"
#define LETTERS	  "abcdefghijklmnopqrstuvwxyz0123456789-"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The labels of a name; 0: it is none. */
static unsigned count_labels(const char *name)
{
	unsigned n = 0;

	for (;;) {
		size_t len = strspn(name, LETTERS);

		if (!len || len > LABEL_MAX || name[0] == '-' || name[len - 1] == '-')
			return 0;
		n++;
		name += len;
		if (!*name)
			return n;
		if (*name++ != '.')
			return 0;
	}
}

const char *rule_check_sni(const char *text, char out[SNI_PATTERN_MAX + 1])
{
	size_t begin = strspn(text, BLANKS), len = strlen(text + begin);
	const char *name = out;
	bool any;

	while (len && strchr(BLANKS, text[begin + len - 1]))
		len--;
	if (len > SNI_PATTERN_MAX)
		return "has more than 253 bytes";
	for (size_t i = 0; i < len; i++)
		out[i] = lower(text[begin + i]);
	out[len] = '\0';
	any = !strncmp(out, "*.", 2);
	if (any)
		name += 2;
	if (!count_labels(name))
		return "must be a name, or \"*.\" and a name";
	if (name[strspn(name, "0123456789.")] == '\0')
		return "must be a name: an address is never sent as one";
	if (any && count_labels(name) < 2)
		return "needs at least two labels after \"*.\"";
	return NULL;
}

bool rule_sni_differs(const struct rule *a, const struct rule *b)
{
	if (!a->sni_pattern || !b->sni_pattern)
		return a->sni_pattern || b->sni_pattern;
	return strcmp(a->sni_pattern, b->sni_pattern) != 0;
}
