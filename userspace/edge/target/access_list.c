// SPDX-License-Identifier: MIT
/* Who may use a rule: allow and deny as one table that never changes. */
#include "edge/target/access_list.h"

#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rule/blocks.h"

/* An address as a number, an IPv4 one too. */
typedef unsigned __int128 number_t;

/*
 * The addresses at which the answer turns into the other one, ascending: within one family prefixes
 * nest and never cross, so this is all that their lists say. An address is looked up by halving:
 * at most as many steps as the number of blocks has bits.
 */
struct turns {
	number_t *at;
	size_t n;
	bool first; /* the answer before the first of them */
};

struct access_list {
	struct turns v4, v6;
};

/* A block that begins and ends, and what it says. */
struct span {
	number_t first, last;
	uint8_t bits;
	bool allow;
};

static number_t number_of(const uint8_t bytes[16], uint8_t family)
{
	uint64_t high, low;
	uint32_t v4;

	if (family == 4) {
		memcpy(&v4, bytes, sizeof(v4));
		return be32toh(v4);
	}
	memcpy(&high, bytes, sizeof(high));
	memcpy(&low, bytes + 8, sizeof(low));
	return (number_t)be64toh(high) << 64 | be64toh(low);
}

/* A larger block comes before those in it; of equal ones the denial comes last. */
static int compare(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->bits != y->bits)
		return x->bits < y->bits ? -1 : 1;
	return (int)y->allow - (int)x->allow;
}

static size_t add_spans(struct span *out, const struct rule_blocks *list, uint8_t family,
			bool allow)
{
	unsigned width = family == 4 ? 32 : 128;
	size_t n = 0;

	for (size_t i = 0; list && i < list->n; i++) {
		const struct cidr *c = &list->block[i];
		struct span *s = &out[n];

		if (c->family != family)
			continue;
		s->first = number_of(c->bytes, family);
		/* A shift by the whole width means nothing in C. */
		s->last = s->first | (c->bits == width ? 0
				      : c->bits	       ? ((number_t)1 << (width - c->bits)) - 1
				      : family == 4    ? (number_t)UINT32_MAX
						       : ~(number_t)0);
		s->bits = c->bits;
		s->allow = allow;
		n++;
	}
	return n;
}

/* From @at on the answer is @allow, for all that is known so far. */
static void turn(struct turns *t, number_t at, bool allow)
{
	bool now = t->first ^ (t->n & 1);

	if (now == allow)
		return;
	/* What was said of that very address before is overruled. */
	if (t->n && t->at[t->n - 1] == at)
		t->n--;
	else if (!t->n && at == 0)
		t->first = allow;
	else
		t->at[t->n++] = at;
}

/* Ends the innermost open blocks that do not reach up to @to. */
static size_t end_spans(struct turns *t, const struct span *const *open, size_t depth, number_t to,
			bool outside)
{
	for (; depth && open[depth - 1]->last < to; depth--)
		turn(t, open[depth - 1]->last + 1, depth > 1 ? open[depth - 2]->allow : outside);
	return depth;
}

static bool make_turns(struct turns *t, const struct rule_blocks *allow,
		       const struct rule_blocks *deny, uint8_t family)
{
	size_t most = (allow ? allow->n : 0) + (deny ? deny->n : 0), n, depth = 0;
	struct span *all = calloc(most + 1, sizeof(*all));
	const struct span *open[2 * 129]; /* one block of each length, or two */
	number_t top = family == 4 ? (number_t)UINT32_MAX : ~(number_t)0;

	t->first = !allow;
	t->at = calloc(2 * most + 1, sizeof(t->at[0]));
	if (!all || !t->at) {
		free(all);
		return false;
	}
	n = add_spans(all, allow, family, true);
	n += add_spans(all + n, deny, family, false);
	qsort(all, n, sizeof(*all), compare);
	for (size_t i = 0; i < n; i++) {
		depth = end_spans(t, open, depth, all[i].first, !allow);
		open[depth++] = &all[i];
		turn(t, all[i].first, all[i].allow);
	}
	end_spans(t, open, depth, top, !allow);
	free(all);
	return true;
}

struct access_list *access_list_new(const struct rule_blocks *allow, const struct rule_blocks *deny)
{
	struct access_list *a = calloc(1, sizeof(*a));

	if (a && make_turns(&a->v4, allow, deny, 4) && make_turns(&a->v6, allow, deny, 6))
		return a;
	access_list_free(a);
	return NULL;
}

void access_list_free(struct access_list *a)
{
	if (!a)
		return;
	free(a->v4.at);
	free(a->v6.at);
	free(a);
}

bool access_list_permits(const struct access_list *a, const union addr *client)
{
	uint8_t bytes[16], family = cidr_bytes(client, bytes);
	const struct turns *t = family == 4 ? &a->v4 : &a->v6;
	number_t at = number_of(bytes, family);
	size_t low = 0, high = t->n;

	/* How many of them are at or before the address. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->at[middle] <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return t->first ^ (low & 1);
}
