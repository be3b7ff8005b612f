/* SPDX-License-Identifier: MIT */
/* Which rule a server name leads to: one version of a port's table. */
#ifndef PORTUNUS_EDGE_CONN_SNI_TABLE_H
#define PORTUNUS_EDGE_CONN_SNI_TABLE_H

#include <stddef.h>

struct service;
struct sni_port;

/* How a connection got to its rule. */
enum sni_match { SNI_NONE, SNI_EXACT, SNI_WILDCARD, SNI_FALLBACK };

/* A version of the table. Never changed once workers know it; counted references. */
struct sni_table;

/*
 * A table of these rules, which all listen on @port; no two have the same pattern, and at most one has
 * none: the fallback. At least one there is. Takes a reference of each and of the port. NULL for memory.
 */
struct sni_table *sni_table_new(struct sni_port *port, struct service *const *services, size_t n);
struct sni_table *sni_table_ref(struct sni_table *t);
void sni_table_unref(struct sni_table *t);

struct sni_port *sni_table_port(const struct sni_table *t);
/* NULL: there is none. */
struct service *sni_table_fallback(const struct sni_table *t);
/* Some rule of it: whose clients those count as that are refused before their rule is known. */
struct service *sni_table_any(const struct sni_table *t);

/*
 * The rule that @name leads to: by a pattern that is the name, else by one that stands for its first label,
 * else the fallback, which @name NULL leads to as well. NULL: none. Any thread.
 */
struct service *sni_table_find(const struct sni_table *t, const char *name, enum sni_match *match);

/* "exact", "wildcard", "fallback". */
const char *sni_match_text(enum sni_match match);

#endif
