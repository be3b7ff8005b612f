/* SPDX-License-Identifier: MIT */
/* Which absolute names a name may stand for: the search domains and ndots of resolv.conf(5). */
#ifndef PORTUNUS_EDGE_RESOLVE_SEARCH_H
#define PORTUNUS_EDGE_RESOLVE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

/* The search list of resolv.conf(5). */
struct resolve_search {
	unsigned ndots;
	unsigned n_domains;
	char **domains;
};

/*
 * The @step-th name (from 0) to ask for when somebody asks for @name, without a final dot, in @buf.
 * With a final dot @name is absolute and the only one. A name with at least ndots dots is tried as it
 * is first, another one last. False: there are no more (@buf is large enough for @name and a domain).
 */
bool resolve_search_name(const struct resolve_search *s, const char *name, unsigned step, char *buf,
			 size_t size);

#endif
