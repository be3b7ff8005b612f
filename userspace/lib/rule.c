// SPDX-License-Identifier: MIT
/* The rule as a value: making, copying, comparing, ordering it. */
#include "lib/rule.h"

#include <stdlib.h>
#include <string.h>

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

static bool target_equal(const struct rule_target *a, const struct rule_target *b, bool alone)
{
	return a->port == b->port && (alone || a->priority == b->priority) &&
	       rule_host_equal(a->host, b->host);
}

bool rule_equal(const struct rule *a, const struct rule *b)
{
	const uint32_t compared = RULE_HAS_PROBE_INTERVAL | RULE_HAS_HEDGE_DELAY;

	if (a->id != b->id || a->listen_port != b->listen_port || a->protocol != b->protocol ||
	    a->prefer_ipv6 != b->prefer_ipv6 || a->n_targets != b->n_targets ||
	    ((a->fields ^ b->fields) & compared) != 0 ||
	    a->probe_interval_secs != b->probe_interval_secs ||
	    a->hedge_delay_ms != b->hedge_delay_ms ||
	    rule_connect_timeout_ms(a) != rule_connect_timeout_ms(b) ||
	    a->idle_timeout_secs != b->idle_timeout_secs)
		return false;
	if (!a->listen_address != !b->listen_address ||
	    (a->listen_address && !rule_host_equal(a->listen_address, b->listen_address)))
		return false;
	for (size_t i = 0; i < a->n_targets; i++)
		if (!target_equal(&a->targets[i], &b->targets[i], a->n_targets == 1))
			return false;
	return true;
}
