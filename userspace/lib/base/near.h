/* SPDX-License-Identifier: MIT */
/* Words that somebody may have meant. */
#ifndef PORTUNUS_LIB_BASE_NEAR_H
#define PORTUNUS_LIB_BASE_NEAR_H

#include <stddef.h>

/* Longer words than this are like no other. */
#define NEAR_MAX 48

/* A search for the word that somebody may have meant. Begun with @word and NEAR_NONE. */
struct near_search {
	const char *word;
	size_t distance; /* of @best: 0, it is the word; NEAR_NONE: nothing is like it */
	const char *best;
};
#define NEAR_NONE ((size_t)-1)

/*
 * Takes a candidate, which has to outlive the search, if it is nearer than all before it. How unlike two words are:
 * letters added, left out, changed or swapped with their neighbour (the optimal string alignment distance). A word
 * that the other one begins with is two letters away at most. What is farther than a slip is not taken. Any thread.
 */
void near_try(struct near_search *s, const char *candidate);

#endif
