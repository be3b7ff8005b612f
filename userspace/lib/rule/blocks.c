// SPDX-License-Identifier: MIT
/* A set of blocks of addresses as a rule holds it: ascending, each once, in one spelling. */
#include "lib/rule/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for @n blocks with their texts, nothing filled in but where all of it lies. */
static struct rule_blocks *make(size_t n)
{
	struct rule_blocks *b = calloc(1, sizeof(*b) + n * (sizeof(b->text[0]) + CIDR_TEXT_MAX +
							    sizeof(b->block[0])));
	char *text;

	if (!b)
		return NULL;
	b->text = (char **)(b + 1);
	text = (char *)(b->text + n);
	for (size_t i = 0; i < n; i++)
		b->text[i] = text + i * CIDR_TEXT_MAX;
	/* Of bytes alone, so it may lie anywhere. */
	b->block = (struct cidr *)(text + n * CIDR_TEXT_MAX);
	return b;
}

static void write_texts(struct rule_blocks *b)
{
	for (size_t i = 0; i < b->n; i++)
		cidr_text(&b->block[i], b->text[i], CIDR_TEXT_MAX);
}

struct rule_blocks *rule_blocks_new(const char *const *text, size_t n, size_t *wrong)
{
	struct rule_blocks *b = make(n);

	if (!b) {
		errno = ENOMEM;
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if (!cidr_parse(text[i], &b->block[i]))
			continue;
		*wrong = i;
		free(b);
		errno = EINVAL;
		return NULL;
	}
	qsort(b->block, n, sizeof(b->block[0]), cidr_compare);
	for (size_t i = 0; i < n; i++)
		if (!i || cidr_compare(&b->block[b->n - 1], &b->block[i]))
			b->block[b->n++] = b->block[i];
	write_texts(b);
	return b;
}

struct rule_blocks *rule_blocks_dup(const struct rule_blocks *b)
{
	struct rule_blocks *copy = make(b->n);

	if (!copy)
		return NULL;
	copy->n = b->n;
	memcpy(copy->block, b->block, b->n * sizeof(b->block[0]));
	write_texts(copy);
	return copy;
}

bool rule_blocks_equal(const struct rule_blocks *a, const struct rule_blocks *b)
{
	if (!a || !b)
		return a == b;
	return a->n == b->n && !memcmp(a->block, b->block, a->n * sizeof(a->block[0]));
}
