// SPDX-License-Identifier: MIT
/* Versions of a rule: who comes next, what a target keeps, when it has a health. */
#include "edge/account/account.h"
#include "edge/target/choose.h"
#include "edge/target/service.h"
#include "selftests/unit/rig.h"

struct book {
	struct account *account;
	struct target_watch watch;
	unsigned changes;
	enum health_state last;
};

static void on_change(void *arg, struct target *t, enum health_state to)
{
	struct book *b = arg;

	b->changes++;
	b->last = to;
}

static struct book *open_book(void)
{
	struct book *b = calloc(1, sizeof(*b));

	log_init("test", "off");
	b->account = account_open(&(struct account_config){.disable = true});
	b->watch = (struct target_watch){.changed = on_change, .arg = b};
	return b;
}

static void close_book(struct book *b)
{
	account_close(b->account);
	free(b);
}

/* The next version of a rule with these ports and priorities. */
static struct service *version(struct book *b, struct service *old, unsigned n,
			       const uint16_t *ports, const uint32_t *priorities)
{
	struct rule *r = rig_rule(7, 80, n, ports);
	struct service *s;

	for (unsigned i = 0; priorities && i < n; i++)
		r->targets[i].priority = priorities[i];
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

/* The whole walk, a decimal digit per row: "2013". */
static const char *walk(const struct service *s)
{
	static char text[RULE_TARGETS_MAX + 1];
	unsigned dialled = 0, n = 0;
	int row;

	while ((row = service_next(s, s->order, dialled)) >= 0) {
		dialled |= 1u << row;
		text[n++] = (char)('0' + row);
	}
	text[n] = '\0';
	return text;
}

static void test_order(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, 4, (uint16_t[]){1, 2, 3, 4},
				    (uint32_t[]){20, 10, 4000000000u, 10});

	/* By priority, then by row. */
	assert_string_equal(walk(s), "1302");
	fall(s->target[1]);
	assert_string_equal(walk(s), "3021");
	fall(s->target[0]);
	/* Failed ones behind, by preference among themselves. */
	assert_string_equal(walk(s), "3210");
	fall(s->target[2]);
	fall(s->target[3]);
	assert_string_equal(walk(s), "1302");
	recover(s->target[2]);
	assert_string_equal(walk(s), "2130");
	atomic_store(&s->target[2]->drained, true);
	assert_string_equal(walk(s), "130");
	for (int i = 0; i < 4; i++)
		atomic_store(&s->target[i]->drained, true);
	assert_int_equal(service_next(s, s->order, 0), -1);
	assert_int_equal(b->changes, 5);
	assert_int_equal(atomic_load(&s->totals->failovers), 5);
	service_unref(s);
	close_book(b);
}

/* One that fails while the walk is under way moves behind those that are Healthy. */
static void test_changes_during_walk(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, 3, (uint16_t[]){1, 2, 3}, NULL);

	assert_int_equal(service_next(s, s->order, 0), 0);
	fall(s->target[1]);
	assert_int_equal(service_next(s, s->order, 1), 2);
	assert_int_equal(service_next(s, s->order, 1 | 4), 1);
	assert_int_equal(service_next(s, s->order, 7), -1);
	service_unref(s);
	close_book(b);
}

static void test_targets_over_versions(void **state)
{
	struct book *b = open_book();
	struct service *v1 = version(b, NULL, 2, (uint16_t[]){1, 2}, NULL), *v2, *v3;
	struct target *one = v1->target[0], *two = v1->target[1];

	fall(two);
	target_cell(one, 0)->ok = 5;
	v2 = version(b, v1, 3, (uint16_t[]){2, 3, 1}, NULL);
	assert_ptr_equal(v2->target[0], two);
	assert_ptr_equal(v2->target[2], one);
	assert_ptr_equal(v2->totals, v1->totals);
	assert_int_equal(target_sum(one).ok, 5);
	assert_int_equal(health_state(&two->health), HEALTH_FAILED);
	assert_int_equal(health_state(&v2->target[1]->health), HEALTH_HEALTHY);
	/* The old version lives as long as a connection has it. */
	service_unref(v1);
	assert_string_equal(walk(v2), "120");
	v3 = version(b, v2, 1, (uint16_t[]){3}, NULL);
	service_unref(v2);
	assert_int_equal(atomic_load(&v3->totals->failovers), 1);
	service_unref(v3);
	close_book(b);
}

/* A name is the same target in another spelling. */
static void test_same_host(void **state)
{
	struct book *b = open_book();
	struct rule *r = rig_rule(7, 80, 1, (uint16_t[]){5});
	struct service *v1, *v2;

	free(r->targets[0].host);
	r->targets[0].host = strdup("Db.Example");
	v1 = service_new(r, NULL, b->account, &b->watch);
	free(r->targets[0].host);
	r->targets[0].host = strdup("db.exAMPLE");
	v2 = service_new(r, v1, b->account, &b->watch);
	assert_ptr_equal(v1->target[0], v2->target[0]);
	/* With a final dot it is asked for in another way. */
	service_unref(v1);
	free(r->targets[0].host);
	r->targets[0].host = strdup("db.example.");
	v1 = service_new(r, v2, b->account, &b->watch);
	assert_ptr_not_equal(v1->target[0], v2->target[0]);
	service_unref(v2);
	v2 = service_new(r, v1, b->account, &b->watch);
	r->targets[0].port = 6;
	service_unref(v1);
	v1 = service_new(r, v2, b->account, &b->watch);
	assert_ptr_not_equal(v1->target[0], v2->target[0]);
	service_unref(v1);
	service_unref(v2);
	rule_free(r);
	close_book(b);
}

/* A target that is alone has no health: none is learnt, and what there was is forgotten. */
static void test_single(void **state)
{
	struct book *b = open_book();
	struct service *v1 = version(b, NULL, 1, (uint16_t[]){1}, NULL), *v2, *v3;
	struct target *t = v1->target[0];

	fall(t);
	assert_int_equal(health_state(&t->health), HEALTH_HEALTHY);
	assert_int_equal(atomic_load(&t->health.failures), 0);
	assert_int_equal(b->changes, 0);
	assert_string_equal(walk(v1), "0");

	v2 = version(b, v1, 2, (uint16_t[]){2, 1}, NULL);
	service_unref(v1);
	fall(t);
	assert_int_equal(b->changes, 1);
	assert_int_equal(b->last, HEALTH_FAILED);
	v3 = version(b, v2, 1, (uint16_t[]){1}, NULL);
	service_unref(v2);
	assert_int_equal(health_state(&t->health), HEALTH_HEALTHY);
	assert_int_equal(b->changes, 1);
	fall(t);
	assert_int_equal(health_state(&t->health), HEALTH_HEALTHY);
	service_unref(v3);
	close_book(b);
}

static void test_connect_time(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, 1, (uint16_t[]){1}, NULL);
	struct target *t = s->target[0];

	assert_int_equal(atomic_load(&t->connect_us), 0);
	/* Never 0 once known. */
	target_learn_connect_time(t, 10);
	assert_int_equal(atomic_load(&t->connect_us), 1);
	for (int i = 0; i < 100; i++)
		target_learn_connect_time(t, 80 * NS_PER_MS);
	assert_in_range(atomic_load(&t->connect_us), 70000, 90000);
	/* One outlier moves it by an eighth at most; many do fully, downwards too. */
	target_learn_connect_time(t, 160 * NS_PER_MS);
	assert_in_range(atomic_load(&t->connect_us), 70000, 101000);
	for (int i = 0; i < 100; i++)
		target_learn_connect_time(t, 1 * NS_PER_MS);
	assert_in_range(atomic_load(&t->connect_us), 850, 1200);
	service_unref(s);
	close_book(b);
}

/* Of a connect with a repeated SYN: what is longer than usual counts at once, bounded. */
static void test_slow_connect_time(void **state)
{
	struct book *b = open_book();
	struct service *s = version(b, NULL, 1, (uint16_t[]){1}, NULL);
	struct target *t = s->target[0];

	/* The first one is all that is known, exact or not. */
	target_learn_slow_connect(t, 800 * NS_PER_MS, false);
	assert_in_range(atomic_load(&t->connect_us), 800000, 800001);
	/* An upper bound below what is usual says nothing, a round trip does. */
	target_learn_slow_connect(t, 120 * NS_PER_MS, false);
	assert_in_range(atomic_load(&t->connect_us), 800000, 800001);
	target_learn_slow_connect(t, 120 * NS_PER_MS, true);
	/* Of less than half, that is at once: what was usual was a bound. */
	assert_in_range(atomic_load(&t->connect_us), 120000, 120001);
	target_learn_slow_connect(t, 80 * NS_PER_MS, true);
	assert_in_range(atomic_load(&t->connect_us), 114000, 116000);
	/* From near to far: doubled, from less than the least time to a repetition to just that. */
	for (int i = 0; i < 100; i++)
		target_learn_connect_time(t, 20 * NS_PER_MS);
	target_learn_slow_connect(t, 360 * NS_PER_MS, true);
	assert_int_equal(atomic_load(&t->connect_us), 100000);
	target_learn_slow_connect(t, 360 * NS_PER_MS, true);
	assert_int_equal(atomic_load(&t->connect_us), 200000);
	target_learn_slow_connect(t, 360 * NS_PER_MS, true);
	assert_in_range(atomic_load(&t->connect_us), 360000, 360001);
	service_unref(s);
	close_book(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_changes_during_walk),
		cmocka_unit_test(test_targets_over_versions),
		cmocka_unit_test(test_same_host),
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_connect_time),
		cmocka_unit_test(test_slow_connect_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
