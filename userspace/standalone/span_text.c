// SPDX-License-Identifier: MIT
/* Ports as the file writes them: "8000-8009" or "80". */
#include "standalone/span_text.h"

static const char *skip_blanks(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

/* Behind the number and the blanks around it, or NULL. */
static const char *read_port(const char *s, unsigned *port)
{
	*port = 0;
	s = skip_blanks(s);
	if (*s < '0' || *s > '9')
		return (const char *)0;
	while (*s >= '0' && *s <= '9' && *port <= 65535)
		*port = *port * 10 + (unsigned)(*s++ - '0');
	return skip_blanks(s);
}

bool span_parse(const char *text, struct port_span *out)
{
	const char *s = read_port(text, &out->first);

	out->last = out->first;
	if (s && *s == '-')
		s = read_port(s + 1, &out->last);
	return s && !*s && out->first >= 1 && out->first <= out->last && out->last <= 65535;
}
