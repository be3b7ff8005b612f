// SPDX-License-Identifier: MIT
/* Words that somebody may have meant. */
#include "lib/base/near.h"

#include <string.h>

#define BEGINS_ALIKE 4 /* letters that say enough */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t alignment(const char *a, size_t n, const char *b, size_t m)
{
	size_t d[NEAR_MAX + 1][NEAR_MAX + 1];

	for (size_t i = 0; i <= n; i++)
		d[i][0] = i;
	for (size_t k = 0; k <= m; k++)
		d[0][k] = k;
	for (size_t i = 1; i <= n; i++) {
		for (size_t k = 1; k <= m; k++) {
			d[i][k] = least(d[i - 1][k - 1] + (a[i - 1] != b[k - 1]),
					least(d[i - 1][k], d[i][k - 1]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				d[i][k] = least(d[i][k], d[i - 2][k - 2] + 1);
		}
	}
	return d[n][m];
}

static size_t distance_of(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), shorter = least(n, m), d;

	if (n > NEAR_MAX || m > NEAR_MAX)
		return NEAR_NONE;
	if (shorter >= BEGINS_ALIKE && !strncmp(a, b, shorter))
		return least(n > m ? n - m : m - n, 2);
	d = alignment(a, n, b, m);
	/* A slip or two in a word of some length; in a short one any two letters make another word. */
	return d <= (shorter > BEGINS_ALIKE ? 2 : 1) && d < shorter ? d : NEAR_NONE;
}

void near_try(struct near_search *s, const char *candidate)
{
	size_t distance = distance_of(s->word, candidate);

	if (distance >= s->distance)
		return;
	s->distance = distance;
	s->best = candidate;
}
