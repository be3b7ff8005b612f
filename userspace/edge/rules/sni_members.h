/* SPDX-License-Identifier: MIT */
/* The rules that share a port: which of them are served, and what keeps the others from it. */
#ifndef PORTUNUS_EDGE_RULES_SNI_MEMBERS_H
#define PORTUNUS_EDGE_RULES_SNI_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct rule_state;

/* Those of a group, the first to come first. */
TAILQ_HEAD(sni_members, rule_state);

/* One of them, and its place in that order. */
struct sni_candidate {
	struct rule_state *rs;
	size_t at;
	const char *why; /* it cannot be served; NULL: it can */
	bool lacks;	 /* … for want of something on this host */
};

/*
 * All of them: first those that are served, by pattern, then the others, for another one came earlier with
 * the same pattern, or this host lacks what they ask for. *n gets their number, *served that of the former.
 * For free(); NULL for memory.
 */
struct sni_candidate *sni_members_sort(const struct sni_members *members, size_t *n,
				       size_t *served);

/* "" for the fallback. */
const char *sni_pattern_of(const struct rule_state *rs);
/* Whether one of them has a pattern, so that clients are asked for a name. */
bool sni_has_patterns(const struct sni_candidate *members, size_t n);
/* Whether this host lacks what one of them asks for: that may come, and has to be looked for. */
bool sni_lacks(const struct sni_candidate *members, size_t n);

#endif
