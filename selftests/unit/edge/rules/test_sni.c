// SPDX-License-Identifier: MIT
/* Rules that share a port, with real workers: any order of changes gives the same routes, sockets pass from
 * one rule to all and back, and who comes too late waits. */
#include <event2/event.h>
#include <stdio.h>

#include "edge/account/account.h"
#include "edge/rules/apply.h"
#include "edge/rules/sni.h"
#include "edge/rules/table.h"
#include "edge/target/hops.h"
#include "edge/worker/worker.h"
#include "selftests/unit/rig.h"

#define WORKERS 2

struct table {
	struct event_base *base;
	struct account *account;
	struct hops *hops;
	struct worker workers[WORKERS];
	struct rule_table *e;
	uint64_t told; /* the last rule whose state was news */
};

static void on_health(void *arg, struct rule_state *rs, struct target *t, enum health_state to)
{
}

static void on_rules(void *arg, struct rule_state *rs)
{
	if (rs)
		((struct table *)arg)->told = rs->id;
}

static void open_table(struct table *t)
{
	struct worker_config wc = {.sweep_period_ms = 15000, .sweep_limit_ms = 75000};
	struct rule_table_config config = {.n_workers = WORKERS,
					   .workers = t->workers,
					   .fd_limit = 1024,
					   .drain_timeout_ms = 200,
					   .health_changed = on_health,
					   .rules_changed = on_rules,
					   .arg = t};

	log_init("test", "off");
	memset(t, 0, sizeof(*t));
	t->base = config.base = event_base_new();
	t->account = wc.account = account_open(&(struct account_config){.disable = true});
	t->hops = wc.hops = hops_new();
	config.account = t->account;
	for (wc.index = 0; wc.index < WORKERS; wc.index++)
		assert_int_equal(worker_start(&t->workers[wc.index], &wc), 0);
	t->e = rule_table_new(&config);
	assert_non_null(t->e);
}

static void close_table(struct table *t)
{
	for (unsigned i = 0; i < WORKERS; i++)
		worker_stop(&t->workers[i]);
	hops_free(t->hops);
	rule_table_free(t->e);
	account_close(t->account);
	event_base_free(t->base);
}

static uint16_t free_port(void)
{
	uint16_t port;

	close(rig_listen(&port, 1));
	return port;
}

static struct rule *named(uint64_t id, uint16_t port, const char *pattern)
{
	uint16_t target = 9;
	struct rule *r = rig_rule(id, port, 1, &target);

	r->sni_pattern = pattern ? strdup(pattern) : NULL;
	return r;
}

static struct rule_state *push(struct table *t, uint64_t id, uint16_t port, const char *pattern)
{
	struct rule *r = named(id, port, pattern);
	struct rule_state *rs = rule_table_push(t->e, r);

	assert_non_null(rs);
	rule_free(r);
	return rs;
}

static bool listens(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool yes = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	close(fd);
	return yes;
}

static void add_text(const struct sni_group_view *v, void *arg)
{
	char *text = arg;

	for (size_t i = 0; i < v->n; i++)
		snprintf(text + strlen(text), 256 - strlen(text), "%s=%d ",
			 v->members[i].pattern ? v->members[i].pattern : "*",
			 (int)v->members[i].rule_id);
}

static void check_routes(struct table *t, const char *want)
{
	char text[256] = "";

	sni_each(t->e, add_text, text);
	assert_string_equal(text, want);
}

static void test_any_order(void **state)
{
	static const char *const patterns[] = {NULL, "a.b", "*.a.b"};
	static const unsigned orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	for (size_t o = 0; o < 6; o++) {
		uint16_t port = free_port();
		struct table t;

		open_table(&t);
		for (unsigned i = 0; i < 3; i++) {
			unsigned k = orders[o][i];

			assert_int_equal(push(&t, k + 1, port, patterns[k])->status, RULE_ACTIVE);
			assert_true(listens(port));
		}
		check_routes(&t, "*=1 *.a.b=3 a.b=2 ");
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(rule_table_remove(t.e, orders[o][i] + 1), 0);
			assert_int_equal(listens(port), i < 2);
		}
		check_routes(&t, "");
		close_table(&t);
	}
}

static void test_late(void **state)
{
	uint16_t port = free_port();
	struct rule_state *late, *second;
	struct table t;

	open_table(&t);
	push(&t, 1, port, "a.b");
	late = push(&t, 2, port, "a.b");
	assert_int_equal(late->status, RULE_FAILED);
	assert_string_equal(late->reason, "sni_route_duplicate");
	push(&t, 3, port, NULL);
	second = push(&t, 4, port, NULL);
	assert_string_equal(second->reason, "sni_fallback_duplicate");
	check_routes(&t, "*=3 a.b=1 ");
	t.told = 0;
	rule_table_remove(t.e, 1);
	assert_int_equal(late->status, RULE_ACTIVE);
	assert_int_equal(t.told, 2);
	rule_table_remove(t.e, 3);
	assert_int_equal(second->status, RULE_ACTIVE);
	assert_int_equal(t.told, 4);
	check_routes(&t, "*=4 a.b=2 ");
	close_table(&t);
}

static void test_back_to_plain(void **state)
{
	uint16_t port = free_port(), other = free_port();
	struct rule_state *plain;
	struct table t;

	open_table(&t);
	plain = push(&t, 1, port, NULL);
	assert_true(plain->n_listeners && !plain->group);
	push(&t, 2, port, "a.b");
	assert_true(!plain->n_listeners && plain->group);
	/* By another pattern, another port, and none. */
	push(&t, 2, port, "c.d");
	check_routes(&t, "*=1 c.d=2 ");
	push(&t, 2, other, "c.d");
	assert_true(plain->n_listeners && !plain->group);
	check_routes(&t, "c.d=2 ");
	assert_true(listens(port) && listens(other));
	push(&t, 2, other, NULL);
	check_routes(&t, "");
	assert_true(listens(port) && listens(other));
	/* A rule that has its port for itself gets a pattern. */
	push(&t, 2, other, "e.f");
	check_routes(&t, "e.f=2 ");
	assert_true(listens(other));
	close_table(&t);
}

static void test_whole_sets(void **state)
{
	uint16_t port = free_port(), other = free_port();
	struct rule *all[3];
	struct table t;

	open_table(&t);
	for (unsigned round = 0; round < 4; round++) {
		size_t n = round == 3 ? 1 : 3;

		/* The fallback comes and goes between two ports, and at last is alone. */
		all[0] = named(1, round % 2 ? other : port, NULL);
		all[1] = named(2, port, "a.b");
		all[2] = named(3, other, "c.d");
		assert_int_equal(rule_table_apply(t.e, all, n), 0);
		for (size_t i = 0; i < 3; i++)
			rule_free(all[i]);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(rule_table_find(t.e, i + 1)->status, RULE_ACTIVE);
		assert_true(listens(other) && listens(port) == (round < 3));
	}
	check_routes(&t, "");
	close_table(&t);
}

static void test_taken(void **state)
{
	const struct timeval in = {.tv_sec = 3};
	struct rule_state *a, *b;
	struct table t;
	uint16_t port;
	int holder = rig_listen(&port, 1);

	open_table(&t);
	a = push(&t, 1, port, "a.b");
	b = push(&t, 2, port, NULL);
	assert_int_equal(a->status, RULE_FAILED);
	assert_string_equal(a->reason, "port_in_use");
	assert_string_equal(b->reason, "port_in_use");
	close(holder);
	rule_table_retry_binds(t.e);
	assert_true(a->status == RULE_ACTIVE && b->status == RULE_ACTIVE && listens(port));
	rule_table_remove(t.e, 1);
	rule_table_remove(t.e, 2);
	/* And by itself. */
	holder = rig_listen(&port, 1);
	a = push(&t, 1, port, "a.b");
	close(holder);
	event_base_loopexit(t.base, &in);
	while (a->status == RULE_FAILED && event_base_loop(t.base, EVLOOP_ONCE) == 0)
		;
	assert_int_equal(a->status, RULE_ACTIVE);
	rule_table_stop_listening(t.e);
	assert_false(listens(port));
	close_table(&t);
}

static void take_version(const struct sni_group_view *v, void *arg)
{
	*(uint64_t *)arg = v->version;
}

/* Many names on a port, one by one, and then all of them again, as in a replay. */
static void test_many(void **state)
{
	const unsigned n = 500;
	uint16_t port = free_port();
	uint64_t version;
	char name[32];
	struct table t;

	open_table(&t);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < n; i++) {
			snprintf(name, sizeof(name), "n%u.example", (i * 7919) % n);
			assert_int_equal(push(&t, i + 1, port, name)->status, RULE_ACTIVE);
		}
		/* What is in force is not made anew. */
		sni_each(t.e, take_version, &version);
		assert_int_equal(version, n);
	}
	push(&t, 1, port, "another.example");
	sni_each(t.e, take_version, &version);
	assert_int_equal(version, n + 1);
	close_table(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),     cmocka_unit_test(test_late),
		cmocka_unit_test(test_back_to_plain), cmocka_unit_test(test_whole_sets),
		cmocka_unit_test(test_taken),	      cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
