/* SPDX-License-Identifier: MIT */
/* Words that somebody may have meant. */
#ifndef PORTUNUS_LIB_BASE_NEAR_H
#define PORTUNUS_LIB_BASE_NEAR_H

#include <stdbool.h>
#include <stddef.h>

/* Longer words than this are like no other. */
#define NEAR_MAX 48

/*
 * How unlike two words are: letters added, left out, changed or swapped with their neighbour (the optimal string
 * alignment distance). A word that the other one begins with is two letters away at most. SIZE_MAX: not alike
 * enough to be taken for a slip. Any thread.
 */
size_t near_distance(const char *a, const char *b);

#endif
