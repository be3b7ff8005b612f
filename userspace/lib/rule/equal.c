// SPDX-License-Identifier: MIT
/* Whether two rules mean the same to an edge. */
#include <string.h>

#include "lib/rule/blocks.h"
#include "lib/rule/lists.h"
#include "lib/rule/number.h"
#include "lib/rule/rule.h"
#include "lib/rule/words.h"
#include "lib/rule/span.h"

/* A target that is alone is preferred to nothing, and never checked. */
static bool target_equal(const struct rule_target *a, const struct rule_target *b, bool alone)
{
	return a->port == b->port && a->proxy == b->proxy && a->tlvs == b->tlvs &&
	       a->same_port == b->same_port && rule_host_same(a->host, b->host) &&
	       (alone || (a->priority == b->priority && a->check_port == b->check_port &&
			  rule_weight(a) == rule_weight(b)));
}

static bool texts_equal(const char *a, const char *b)
{
	return !a || !b ? a == b : !strcmp(a, b);
}

static bool balance_equal(const struct rule *a, const struct rule *b)
{
	return a->balance == b->balance && a->end_sessions == b->end_sessions &&
	       a->manual_failback == b->manual_failback && a->eject.resets == b->eject.resets &&
	       a->eject.window_secs == b->eject.window_secs &&
	       a->eject.for_secs == b->eject.for_secs && a->talk.tls == b->talk.tls &&
	       a->talk.port == b->talk.port && texts_equal(a->talk.send, b->talk.send) &&
	       texts_equal(a->talk.expect, b->talk.expect);
}

/* Of two numbers the default written out is the same as none. */
static bool numbers_equal(const struct rule *a, const struct rule *b)
{
	for (size_t i = 0; i < RULE_NUMBERS; i++) {
		const struct rule_number *n = &rule_numbers[i];
		bool has = n->field & (RULE_HAS_PROBE_INTERVAL | RULE_HAS_HEDGE_DELAY);

		if (n->field == RULE_HAS_CONNECT_TIMEOUT)
			continue;
		if (rule_number_value(a, n) != rule_number_value(b, n) ||
		    (has && ((a->fields ^ b->fields) & n->field)))
			return false;
	}
	return rule_connect_timeout_ms(a) == rule_connect_timeout_ms(b);
}

static bool lists_equal(const struct rule *a, const struct rule *b)
{
	for (size_t i = 0; i < RULE_LISTS; i++)
		if (!rule_blocks_equal(rule_list_value(a, &rule_lists[i]),
				       rule_list_value(b, &rule_lists[i])))
			return false;
	return true;
}

static bool words_equal(const struct rule *a, const struct rule *b)
{
	for (size_t i = 0; i < RULE_WORDS; i++) {
		const char *x = rule_word_value(a, &rule_words[i]);
		const char *y = rule_word_value(b, &rule_words[i]);

		if (!x != !y || (x && strcmp(x, y) != 0))
			return false;
	}
	return true;
}

static int relay(const struct rule *r)
{
	return r->relay ? r->relay : RULE_RELAY_USER;
}

bool rule_equal(const struct rule *a, const struct rule *b)
{
	return rule_equal_but_caps(a, b) && rate_limit_equal(&a->limit, &b->limit);
}

bool rule_equal_kept(const struct rule *a, const struct rule *b)
{
	return rule_equal(a, b) && target_equal(&a->targets[0], &b->targets[0], false);
}

bool rule_equal_but_caps(const struct rule *a, const struct rule *b)
{
	if (a->id != b->id || !span_equal(rule_span(a), rule_span(b)) ||
	    a->protocol != b->protocol || a->prefer_ipv6 != b->prefer_ipv6 ||
	    relay(a) != relay(b) || a->n_targets != b->n_targets || !numbers_equal(a, b) ||
	    !lists_equal(a, b) || !words_equal(a, b) || !balance_equal(a, b))
		return false;
	/* An address has one spelling. */
	if (!a->listen_address != !b->listen_address ||
	    (a->listen_address && strcmp(a->listen_address, b->listen_address) != 0))
		return false;
	if (!a->sni_pattern != !b->sni_pattern ||
	    (a->sni_pattern && strcmp(a->sni_pattern, b->sni_pattern) != 0) ||
	    a->fallback_non_tls != b->fallback_non_tls || a->accept_proxy != b->accept_proxy ||
	    a->health_check_proxy != b->health_check_proxy)
		return false;
	for (size_t i = 0; i < a->n_targets; i++)
		if (!target_equal(&a->targets[i], &b->targets[i], a->n_targets == 1))
			return false;
	return true;
}
