// SPDX-License-Identifier: MIT
/* Which absolute names a name may stand for: the search domains and ndots of resolv.conf(5). */
#include "edge/resolve/search.h"

#include <stdio.h>
#include <string.h>

static unsigned dots_in(const char *name)
{
	unsigned n = 0;

	for (; *name; name++)
		n += *name == '.';
	return n;
}

bool resolve_search_name(const struct resolve_search *s, const char *name, unsigned step, char *buf,
			 size_t size)
{
	size_t len = strlen(name);
	bool as_is_first, as_is;
	int n;

	if (!len)
		return false;
	if (name[len - 1] == '.')
		return !step && len > 1 &&
		       (size_t)snprintf(buf, size, "%.*s", (int)(len - 1), name) < size;
	if (step > s->n_domains)
		return false;
	as_is_first = dots_in(name) >= s->ndots;
	as_is = as_is_first ? step == 0 : step == s->n_domains;
	if (as_is)
		n = snprintf(buf, size, "%s", name);
	else
		n = snprintf(buf, size, "%s.%s", name, s->domains[step - as_is_first]);
	return n >= 0 && (size_t)n < size;
}
