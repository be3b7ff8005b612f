// SPDX-License-Identifier: MIT
/* Which rule a server name leads to: one version of a port's table. */
#include "edge/conn/sni_table.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "edge/conn/sni_port.h"
#include "edge/target/service.h"

struct route {
	const char *name; /* of a wildcard what is behind the "*." */
	struct service *service;
};

struct sni_table {
	atomic_uint refs;
	struct sni_port *port;
	struct service *fallback;
	size_t n_exact, n_wild;
	struct route route[]; /* the exact ones, then the wildcards, each sorted by name */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct route *)a)->name, ((const struct route *)b)->name);
}

static bool is_sorted(const struct route *routes, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (by_name(&routes[i - 1], &routes[i]) > 0)
			return false;
	return true;
}

static bool is_wild(const char *pattern)
{
	return pattern && pattern[0] == '*';
}

/* Takes those in that are wildcards, or those that are not; returns how many. */
static size_t add_routes(struct route *to, struct service *const *services, size_t n, bool wild)
{
	size_t added = 0;

	for (size_t i = 0; i < n; i++) {
		const char *pattern = services[i]->rule->sni_pattern;

		if (!pattern || is_wild(pattern) != wild)
			continue;
		to[added].name = wild ? pattern + 2 : pattern;
		to[added++].service = service_ref(services[i]);
	}
	/* Mostly they come sorted, and thousands of them change one by one. */
	if (!is_sorted(to, added))
		qsort(to, added, sizeof(*to), by_name);
	return added;
}

struct sni_table *sni_table_new(struct sni_port *port, struct service *const *services, size_t n)
{
	struct sni_table *t = calloc(1, sizeof(*t) + n * sizeof(t->route[0]));

	if (!t)
		return NULL;
	t->refs = 1;
	t->port = sni_port_ref(port);
	t->n_exact = add_routes(t->route, services, n, false);
	t->n_wild = add_routes(t->route + t->n_exact, services, n, true);
	for (size_t i = 0; i < n && !t->fallback; i++)
		if (!services[i]->rule->sni_pattern)
			t->fallback = service_ref(services[i]);
	return t;
}

struct sni_table *sni_table_ref(struct sni_table *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void sni_table_unref(struct sni_table *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	for (size_t i = 0; i < t->n_exact + t->n_wild; i++)
		service_unref(t->route[i].service);
	service_unref(t->fallback);
	sni_port_unref(t->port);
	free(t);
}

struct sni_port *sni_table_port(const struct sni_table *t)
{
	return t->port;
}

struct service *sni_table_fallback(const struct sni_table *t)
{
	return t->fallback;
}

struct service *sni_table_any(const struct sni_table *t)
{
	return t->fallback ? t->fallback : t->route[0].service;
}

static struct service *look_up(const struct route *routes, size_t n, const char *name)
{
	const struct route key = {.name = name};
	const struct route *found = bsearch(&key, routes, n, sizeof(*routes), by_name);

	return found ? found->service : NULL;
}

struct service *sni_table_find(const struct sni_table *t, const char *name, enum sni_match *match)
{
	const char *parent = name ? strchr(name, '.') : NULL;
	struct service *s = name ? look_up(t->route, t->n_exact, name) : NULL;

	*match = SNI_EXACT;
	if (s)
		return s;
	*match = SNI_WILDCARD;
	s = parent && parent > name ? look_up(t->route + t->n_exact, t->n_wild, parent + 1) : NULL;
	if (s)
		return s;
	*match = t->fallback ? SNI_FALLBACK : SNI_NONE;
	return t->fallback;
}

const char *sni_match_text(enum sni_match match)
{
	static const char *const texts[] = {
		[SNI_NONE] = "none",
		[SNI_EXACT] = "exact",
		[SNI_WILDCARD] = "wildcard",
		[SNI_FALLBACK] = "fallback",
	};

	return texts[match];
}
