// SPDX-License-Identifier: MIT
/* Any lines as blocks to allow and to deny: the table says of any address what the lists say. */
#include "edge/target/access_list.c"

#include "lib/base/cidr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINES_MAX 64

static bool by_the_lists(const struct rule_blocks *allow, const struct rule_blocks *deny,
			 const union addr *a)
{
	int yes = -1, no = -1;

	for (size_t i = 0; allow && i < allow->n; i++)
		if (cidr_has(&allow->block[i], a) && allow->block[i].bits > yes)
			yes = allow->block[i].bits;
	for (size_t i = 0; deny && i < deny->n; i++)
		if (cidr_has(&deny->block[i], a) && deny->block[i].bits > no)
			no = deny->block[i].bits;
	return yes < 0 && no < 0 ? !allow : yes > no;
}

/* The first and the last address of a block, and their neighbours. */
static void look_around(const struct access_list *access, const struct rule_blocks *allow,
			const struct rule_blocks *deny, const struct cidr *c)
{
	unsigned width = c->family == 4 ? 32 : 128;
	number_t first = number_of(c->bytes, c->family);
	number_t span = c->bits ? (number_t)1 << (width - c->bits) : 0;
	number_t at[4] = {first, first - 1, first + span - 1, first + span};

	for (int i = 0; i < 4; i++) {
		union addr a = {.sa.sa_family = c->family == 4 ? AF_INET : AF_INET6};

		if (c->family == 4)
			a.v4.sin_addr.s_addr = htobe32((uint32_t)at[i]);
		for (int k = 0; k < 16 && c->family == 6; k++)
			a.v6.sin6_addr.s6_addr[k] = (uint8_t)(at[i] >> (120 - 8 * k));
		if (access_list_permits(access, &a) != by_the_lists(allow, deny, &a))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line[2][LINES_MAX];
	struct rule_blocks *list[2] = {NULL, NULL};
	size_t n[2] = {0, 0}, wrong;
	char *text = malloc(size + 1), *save, *p;
	struct access_list *access;

	memcpy(text, data, size);
	text[size] = '\0';
	for (p = strtok_r(text, "\n", &save); p; p = strtok_r(NULL, "\n", &save)) {
		bool deny = *p == '-';
		struct cidr c;
		char spelling[CIDR_TEXT_MAX];
		struct cidr again;

		if (n[deny] == LINES_MAX || cidr_parse(p + deny, &c))
			continue;
		if (cidr_parse(cidr_text(&c, spelling, sizeof(spelling)), &again) ||
		    cidr_compare(&c, &again))
			abort();
		line[deny][n[deny]++] = p + deny;
	}
	for (int i = 0; i < 2; i++)
		if (n[i])
			list[i] = rule_blocks_new(line[i], n[i], &wrong);
	access = access_list_new(list[0], list[1]);
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; list[i] && k < list[i]->n; k++)
			look_around(access, list[0], list[1], &list[i]->block[k]);
	access_list_free(access);
	free(list[0]);
	free(list[1]);
	free(text);
	return 0;
}
