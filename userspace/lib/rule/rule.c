// SPDX-License-Identifier: MIT
/* The rule as a value: making, copying, ordering it. */
#include "lib/rule/rule.h"

#include <stdlib.h>
#include <string.h>

#include "lib/rule/blocks.h"

struct rule *rule_new(size_t n_targets)
{
	struct rule *r = calloc(1, sizeof(*r) + n_targets * sizeof(r->targets[0]));

	if (!r)
		return NULL;
	r->protocol = RULE_TCP;
	r->n_targets = (uint8_t)n_targets;
	return r;
}

void rule_free(struct rule *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_targets; i++)
		free(r->targets[i].host);
	free(r->client);
	free(r->listen_address);
	free(r->owner);
	free(r->sni_pattern);
	free(r->source_interface);
	free(r->listen_interface);
	free(r->congestion_control);
	free(r->source_address);
	free(r->accept_proxy_from);
	free(r->allow);
	free(r->deny);
	free(r->talk.send);
	free(r->talk.expect);
	free(r);
}

void rules_free(struct rule **rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rule_free(rules[i]);
	free(rules);
}

/* Replaces a borrowed text by an own copy; NULL stays NULL. */
static bool own(char **text)
{
	bool had = *text != NULL;

	if (had)
		*text = strdup(*text);
	return *text || !had;
}

static bool own_list(struct rule_blocks **list)
{
	bool had = *list != NULL;

	if (had)
		*list = rule_blocks_dup(*list);
	return *list || !had;
}

struct rule *rule_dup(const struct rule *r)
{
	struct rule *copy = rule_new(r->n_targets);
	bool ok = true;

	if (!copy)
		return NULL;
	*copy = *r;
	/* Every text is tried, so that after a failure none of them is still borrowed. */
	ok = own(&copy->client) && ok;
	ok = own(&copy->listen_address) && ok;
	ok = own(&copy->owner) && ok;
	ok = own(&copy->sni_pattern) && ok;
	ok = own(&copy->source_interface) && ok;
	ok = own(&copy->listen_interface) && ok;
	ok = own(&copy->congestion_control) && ok;
	ok = own_list(&copy->source_address) && ok;
	ok = own_list(&copy->accept_proxy_from) && ok;
	ok = own_list(&copy->allow) && ok;
	ok = own_list(&copy->deny) && ok;
	ok = own(&copy->talk.send) && ok;
	ok = own(&copy->talk.expect) && ok;
	for (size_t i = 0; i < r->n_targets; i++) {
		copy->targets[i] = r->targets[i];
		ok = own(&copy->targets[i].host) && ok;
	}
	if (!ok) {
		rule_free(copy);
		return NULL;
	}
	return copy;
}

void rule_preference(const struct rule *r, uint8_t order[RULE_TARGETS_MAX])
{
	for (uint8_t row = 0; row < r->n_targets; row++) {
		uint8_t i = row;

		/* Equal priorities keep their order of rows. */
		for (; i > 0 && r->targets[order[i - 1]].priority > r->targets[row].priority; i--)
			order[i] = order[i - 1];
		order[i] = row;
	}
}
