// SPDX-License-Identifier: MIT
/* Who of a rule's targets takes the next connection: turns, loads, hashes, levels, and failing back. */
#include "edge/account/account.h"
#include "edge/target/choose.h"
#include "edge/target/eject.h"
#include "edge/target/service.h"
#include "selftests/unit/rig.h"

struct book {
	struct account *account;
	struct target_watch watch;
};

static void on_change(void *arg, struct target *t, enum health_state to)
{
}

static struct book *open_book(void)
{
	struct book *b = calloc(1, sizeof(*b));

	log_init("test", "off");
	b->account = account_open(&(struct account_config){.disable = true});
	b->watch = (struct target_watch){.changed = on_change, .arg = b, .n_workers = 2};
	return b;
}

static void close_book(struct book *b)
{
	account_close(b->account);
	free(b);
}

/* A rule whose targets have these priorities and weights, a digit or number each. */
static struct service *version(struct book *b, struct service *old, enum rule_balance balance,
			       unsigned n, const uint32_t *priorities, const uint16_t *weights)
{
	static const uint16_t ports[RULE_TARGETS_MAX] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct rule *r = rig_rule(7, 80, n, ports);
	struct service *s;

	r->balance = balance;
	for (unsigned i = 0; i < n; i++) {
		r->targets[i].priority = priorities ? priorities[i] : 0;
		r->targets[i].weight = weights ? weights[i] : 0;
	}
	s = service_new(r, old, b->account, &b->watch);
	rule_free(r);
	service_in_force(s, old);
	return s;
}

static void fall(struct target *t)
{
	for (int i = 0; i < HEALTH_FAILURES; i++)
		target_report(t, ECONNREFUSED);
}

static void recover(struct target *t)
{
	for (int i = 0; i < HEALTH_SUCCESSES; i++)
		target_report(t, 0);
}

static union addr client(uint32_t n)
{
	return (union addr){.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(n)}};
}

static int first(const struct service *s, uint32_t from)
{
	union addr a = client(from);
	uint8_t own[RULE_TARGETS_MAX];

	return service_next(s, service_choose(s, &a, own), 0);
}

/* The first rows of @n connections one after the other, a digit each. */
static const char *firsts(const struct service *s, unsigned n)
{
	static char text[300];

	for (unsigned i = 0; i < n; i++)
		text[i] = (char)('0' + first(s, i));
	text[n] = '\0';
	return text;
}

/* Every row of the walk of the client at @from. */
static const char *walk(const struct service *s, uint32_t from)
{
	static char text[RULE_TARGETS_MAX + 1];
	union addr a = client(from);
	uint8_t own[RULE_TARGETS_MAX];
	const uint8_t *order = service_choose(s, &a, own);
	unsigned dialled = 0, n = 0;
	int row;

	while ((row = service_next(s, order, dialled)) >= 0) {
		dialled |= 1u << row;
		text[n++] = (char)('0' + row);
	}
	text[n] = '\0';
	return text;
}

/* Where nothing is to be chosen nothing is done: all share one order, and no counter moves. */
static void test_order_costs_nothing(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, RULE_BALANCE_ORDER, 3, NULL, NULL);
	uint8_t own[RULE_TARGETS_MAX];

	assert_ptr_equal(service_choose(s, NULL, own), s->order);
	assert_string_equal(firsts(s, 5), "00000");
	assert_int_equal(s->target[0]->turn, 0);
	service_unref(s);
	close_book(b);
}

static void test_turns(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, RULE_BALANCE_ROUND_ROBIN, 3, NULL, NULL);

	assert_string_equal(firsts(s, 9), "012012012");
	/* Who failed gets nothing, the others share evenly, and who comes back does not catch up. */
	fall(s->target[1]);
	assert_string_equal(firsts(s, 100), "02020202020202020202020202020202020202020202020202"
					    "02020202020202020202020202020202020202020202020202");
	recover(s->target[1]);
	assert_int_equal(strspn(firsts(s, 30), "012"), 30);
	{
		unsigned n = 0;

		for (const char *p = firsts(s, 30); *p; p++)
			n += *p == '1';
		assert_int_equal(n, 10);
	}
	/* The rest of a walk holds everybody. */
	assert_int_equal(strlen(walk(s, 1)), 3);
	atomic_store(&s->target[0]->drained, true);
	assert_null(strchr(firsts(s, 20), '0'));
	service_unref(s);
	close_book(b);
}

static void count(const struct service *s, unsigned n, unsigned hits[RULE_TARGETS_MAX])
{
	memset(hits, 0, RULE_TARGETS_MAX * sizeof(*hits));
	for (unsigned i = 0; i < n; i++)
		hits[first(s, i * 2654435761u)]++;
}

/* Weights are kept exactly over each round, not only in the long run. */
static void test_weighted_turns(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, RULE_BALANCE_ROUND_ROBIN, 3, NULL,
				    (uint16_t[]){5, 1, 2});
	unsigned hits[RULE_TARGETS_MAX];

	for (int round = 0; round < 50; round++) {
		count(s, 8, hits);
		assert_int_equal(hits[0], 5);
		assert_int_equal(hits[1], 1);
		assert_int_equal(hits[2], 2);
	}
	service_unref(s);
	s = version(b, NULL, RULE_BALANCE_ROUND_ROBIN, 2, NULL, (uint16_t[]){256, 1});
	count(s, 257 * 10, hits);
	assert_int_equal(hits[1], 10);
	service_unref(s);
	close_book(b);
}

/* A new target begins with its share, not with all that it has missed. */
static void test_turns_over_versions(void **state)
{
	struct book *b = open_book();
	struct service *v1 = version(b, NULL, RULE_BALANCE_ROUND_ROBIN, 2, NULL, NULL), *v2;
	unsigned hits[RULE_TARGETS_MAX];

	count(v1, 1001, hits);
	v2 = version(b, v1, RULE_BALANCE_ROUND_ROBIN, 3, NULL, NULL);
	service_unref(v1);
	count(v2, 30, hits);
	for (int i = 0; i < 3; i++)
		assert_in_range(hits[i], 9, 11);
	service_unref(v2);
	close_book(b);
}

/* Equal priorities share, the next level is for when none of the first works. */
static void test_levels(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, RULE_BALANCE_ROUND_ROBIN, 4,
				    (uint32_t[]){20, 10, 20, 10}, NULL);

	assert_string_equal(firsts(s, 6), "131313");
	fall(s->target[1]);
	assert_string_equal(firsts(s, 3), "333");
	assert_int_equal(walk(s, 1)[3], '1');
	fall(s->target[3]);
	assert_string_equal(firsts(s, 4), "0202");
	assert_true(service_takes_new(s, 0));
	assert_true(service_takes_new(s, 2));
	assert_false(service_takes_new(s, 1));
	fall(s->target[0]);
	fall(s->target[2]);
	/* With all Failed the best level is tried, as ever. */
	assert_non_null(strchr("13", firsts(s, 1)[0]));
	recover(s->target[3]);
	assert_string_equal(firsts(s, 3), "333");
	assert_int_equal(service_current(s), 3);
	service_unref(s);
	close_book(b);
}

static void test_least(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, RULE_BALANCE_LEAST, 3, NULL, (uint16_t[]){1, 1, 2});

	/* Idle ones take turns by weight; what is open, on whichever worker, or dialled counts. */
	target_cell(s->target[0], 0)->active = 3;
	target_cell(s->target[1], 1)->active = 1;
	target_cell(s->target[1], 0)->dialling = 1;
	target_cell(s->target[2], 1)->active = 4;
	/* (3+1)/1, (2+1)/1, (4+1)/2 */
	assert_string_equal(walk(s, 0), "210");
	target_cell(s->target[2], 1)->active = 6;
	assert_string_equal(walk(s, 0), "120");
	fall(s->target[1]);
	assert_string_equal(walk(s, 0), "201");
	service_unref(s);
	s = version(b, NULL, RULE_BALANCE_LEAST, 3, NULL, NULL);
	assert_string_equal(firsts(s, 6), "012012");
	service_unref(s);
	close_book(b);
}

#define CLIENTS 20000

/* Shares by weight within four standard deviations; the addresses are always the same ones. */
static void test_hash_shares(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, RULE_BALANCE_HASH, 4, NULL, (uint16_t[]){1, 2, 1, 4});
	unsigned hits[RULE_TARGETS_MAX];

	count(s, CLIENTS, hits);
	assert_in_range(hits[0], 2500 - 190, 2500 + 190);
	assert_in_range(hits[1], 5000 - 245, 5000 + 245);
	assert_in_range(hits[2], 2500 - 190, 2500 + 190);
	assert_in_range(hits[3], 10000 - 283, 10000 + 283);
	service_unref(s);
	close_book(b);
}

/* Who is lost loses its own clients and moves nobody else, be it Failed or gone from the rule. */
static void test_hash_moves_only_the_lost(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, RULE_BALANCE_HASH, 4, NULL, NULL), *less;
	static uint8_t before[CLIENTS];
	unsigned moved_to[RULE_TARGETS_MAX] = {0};

	for (uint32_t i = 0; i < CLIENTS; i++)
		before[i] = (uint8_t)first(s, 0x0a000000 + i);
	fall(s->target[3]);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		int now = first(s, 0x0a000000 + i);

		if (before[i] == 3)
			moved_to[now]++;
		else
			assert_int_equal(now, before[i]);
	}
	/* … and those are shared by all that are left. */
	for (int i = 0; i < 3; i++)
		assert_in_range(moved_to[i], CLIENTS / 12 - 200, CLIENTS / 12 + 200);
	less = version(b, s, RULE_BALANCE_HASH, 3, NULL, NULL);
	for (uint32_t i = 0; i < CLIENTS; i++)
		if (before[i] != 3)
			assert_int_equal(first(less, 0x0a000000 + i), before[i]);
	service_unref(s);
	service_unref(less);
	close_book(b);
}

static void set_manual(struct service *s)
{
	s->rule->manual_failback = true;
}

static void test_manual_failback(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, RULE_BALANCE_ORDER, 3, (uint32_t[]){0, 1, 2}, NULL);
	struct service *next;

	set_manual(s);
	assert_string_equal(walk(s, 0), "012");
	fall(s->target[0]);
	service_settle(s);
	recover(s->target[0]);
	/* It waits, behind who has them now but before who is worse than both. */
	assert_string_equal(walk(s, 0), "102");
	assert_int_equal(service_current(s), 1);
	assert_false(service_takes_new(s, 0));
	/* A change of the rule keeps that, wherever the target then stands. */
	next = version(b, s, RULE_BALANCE_ORDER, 3, (uint32_t[]){5, 1, 9}, NULL);
	set_manual(next);
	service_unref(s);
	assert_string_equal(walk(next, 0), "102");
	s = version(b, next, RULE_BALANCE_ORDER, 3, (uint32_t[]){0, 1, 2}, NULL);
	set_manual(s);
	service_unref(next);
	assert_string_equal(walk(s, 0), "102");
	/* Told to, it takes them back, once. */
	assert_true(service_fail_back(s));
	assert_false(service_fail_back(s));
	assert_string_equal(walk(s, 0), "012");
	fall(s->target[0]);
	fall(s->target[1]);
	service_settle(s);
	recover(s->target[0]);
	recover(s->target[1]);
	assert_string_equal(walk(s, 0), "201");
	/* While nobody works nothing changes. */
	for (int i = 0; i < 3; i++)
		fall(s->target[i]);
	service_settle(s);
	recover(s->target[2]);
	assert_int_equal(service_current(s), 2);
	service_unref(s);
	close_book(b);
}

/* With several of equal priority it is the level that waits; who recovers within one takes part again. */
static void test_manual_failback_of_levels(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, RULE_BALANCE_ROUND_ROBIN, 4, (uint32_t[]){0, 0, 1, 1},
				    NULL);

	set_manual(s);
	fall(s->target[0]);
	service_settle(s);
	recover(s->target[0]);
	assert_non_null(strchr(firsts(s, 4), '0'));
	fall(s->target[0]);
	fall(s->target[1]);
	service_settle(s);
	recover(s->target[0]);
	recover(s->target[1]);
	assert_int_equal(strspn(firsts(s, 10), "23"), 10);
	assert_true(service_fail_back(s));
	assert_int_equal(strspn(firsts(s, 10), "01"), 10);
	service_unref(s);
	close_book(b);
}

static void reset(const struct service *s, unsigned row, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		eject_strike(s, s->target[row]);
}

/* So many ends without a word, and a target is out; the last one of those that share never. */
static void test_eject(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, RULE_BALANCE_ROUND_ROBIN, 4, (uint32_t[]){0, 0, 1, 1},
				    NULL);

	s->rule->eject = (struct rule_eject){.resets = 3, .window_secs = 10, .for_secs = 100};
	reset(s, 0, 2);
	assert_int_equal(health_state(&s->target[0]->health), HEALTH_HEALTHY);
	reset(s, 0, 1);
	assert_int_equal(health_state(&s->target[0]->health), HEALTH_FAILED);
	assert_int_equal(s->totals->failovers, 1);
	reset(s, 1, 100);
	assert_int_equal(health_state(&s->target[1]->health), HEALTH_HEALTHY);
	/* One that is drained is no other. */
	atomic_store(&s->target[3]->drained, true);
	reset(s, 2, 100);
	assert_int_equal(health_state(&s->target[2]->health), HEALTH_HEALTHY);
	atomic_store(&s->target[3]->drained, false);
	reset(s, 2, 1);
	assert_int_equal(health_state(&s->target[2]->health), HEALTH_FAILED);
	service_unref(s);
	/* Without balance all of the rule stand for each other. */
	s = version(b, NULL, RULE_BALANCE_ORDER, 2, (uint32_t[]){0, 1}, NULL);
	s->rule->eject = (struct rule_eject){.resets = 1, .window_secs = 10, .for_secs = 100};
	reset(s, 0, 1);
	assert_int_equal(health_state(&s->target[0]->health), HEALTH_FAILED);
	reset(s, 1, 1);
	assert_int_equal(health_state(&s->target[1]->health), HEALTH_HEALTHY);
	service_unref(s);
	close_book(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_costs_nothing),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_weighted_turns),
		cmocka_unit_test(test_turns_over_versions),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_least),
		cmocka_unit_test(test_hash_shares),
		cmocka_unit_test(test_hash_moves_only_the_lost),
		cmocka_unit_test(test_manual_failback),
		cmocka_unit_test(test_eject),
		cmocka_unit_test(test_manual_failback_of_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
