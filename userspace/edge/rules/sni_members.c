// SPDX-License-Identifier: MIT
/* The rules that share a port: which of them are served, and what keeps the others from it. */
#include "edge/rules/sni_members.h"

#include <stdlib.h>
#include <string.h>

#include "edge/rules/table.h"
#include "edge/target/source.h"

const char *sni_pattern_of(const struct rule_state *rs)
{
	const char *pattern = rs->service->rule->sni_pattern;

	return pattern ? pattern : "";
}

static int by_pattern(const void *a, const void *b)
{
	const struct sni_candidate *x = a, *y = b;
	int rc = strcmp(sni_pattern_of(x->rs), sni_pattern_of(y->rs));

	return rc ? rc : (x->at > y->at) - (x->at < y->at);
}

/* Sorts them; those that come after another one with the same pattern have no clients. */
static void find_late(struct sni_candidate *all, size_t n)
{
	qsort(all, n, sizeof(*all), by_pattern);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(sni_pattern_of(all[i - 1].rs), sni_pattern_of(all[i].rs)))
			all[i].why = *sni_pattern_of(all[i].rs) ? "sni_route_duplicate"
								: "sni_fallback_duplicate";
	/* A balancer's header would come before the name. */
	for (size_t i = 0; i < n; i++)
		if (all[i].rs->service->rule->accept_proxy)
			all[i].why = "option_conflict";
}

/* Moves those to the end that are not served; returns how many are. @spare has room for all. */
static size_t part(struct sni_candidate *all, size_t n, struct sni_candidate *spare)
{
	size_t served = 0, left = 0;
	const char *hint;

	for (size_t i = 0; i < n; i++) {
		if (!all[i].why) {
			all[i].why = source_lacking(all[i].rs->service->rule, &hint);
			all[i].lacks = all[i].why;
		}
		if (all[i].why)
			spare[left++] = all[i];
		else
			all[served++] = all[i];
	}
	memcpy(all + served, spare, left * sizeof(*spare));
	return served;
}

struct sni_candidate *sni_members_sort(const struct sni_members *members, size_t *n, size_t *served)
{
	struct sni_candidate *all, *spare;
	struct rule_state *rs;
	size_t count = 0;

	TAILQ_FOREACH (rs, members, in_group)
		count++;
	*n = *served = 0;
	all = calloc(count + 1, sizeof(*all));
	spare = calloc(count + 1, sizeof(*spare));
	if (!all || !spare) {
		free(all);
		free(spare);
		return NULL;
	}
	TAILQ_FOREACH (rs, members, in_group) {
		all[*n] = (struct sni_candidate){.rs = rs, .at = *n};
		++*n;
	}
	find_late(all, *n);
	*served = part(all, *n, spare);
	free(spare);
	return all;
}

bool sni_has_patterns(const struct sni_candidate *members, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (*sni_pattern_of(members[i].rs))
			return true;
	return false;
}

bool sni_lacks(const struct sni_candidate *members, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (members[i].lacks)
			return true;
	return false;
}
