// SPDX-License-Identifier: MIT
/* From one set of rules to the next, with real workers: what is equal is not touched, ports change
 * hands, what is taken is tried again. */
#include <event2/event.h>
#include <poll.h>

#include "edge/account/account.h"
#include "edge/rules/apply.h"
#include "edge/rules/ports.h"
#include "edge/rules/table.h"
#include "edge/target/hops.h"
#include "edge/worker/worker.h"
#include "selftests/unit/rig.h"

#define WORKERS 2

struct table {
	struct event_base *base;
	struct account *account;
	struct hops *hops;
	struct worker *workers;
	struct rule_table *e;
	unsigned rules_changed, status_changed, health_changed;
};

static void on_health(void *arg, struct rule_state *rs, struct target *t, enum health_state to)
{
	((struct table *)arg)->health_changed++;
}

static void on_rules(void *arg, struct rule_state *rs)
{
	struct table *t = arg;

	if (rs)
		t->status_changed++;
	else
		t->rules_changed++;
}

static void open_table(struct table *t)
{
	struct worker_config wc = {.sweep_period_ms = 15000, .sweep_limit_ms = 75000};
	struct rule_table_config ec = {
		.n_workers = WORKERS,
		.fd_limit = 1024,
		.drain_timeout_ms = 200,
		.health_changed = on_health,
		.rules_changed = on_rules,
		.arg = t,
	};

	log_init("test", "off");
	memset(t, 0, sizeof(*t));
	t->base = event_base_new();
	t->account = account_open(&(struct account_config){.disable = true});
	t->workers = calloc(WORKERS, sizeof(*t->workers));
	wc.account = t->account;
	wc.hops = t->hops = hops_new();
	for (wc.index = 0; wc.index < WORKERS; wc.index++)
		assert_int_equal(worker_start(&t->workers[wc.index], &wc), 0);
	ec.base = t->base;
	ec.account = t->account;
	ec.workers = t->workers;
	t->e = rule_table_new(&ec);
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
	free(t->workers);
}

static void main_thread(struct table *t, unsigned ms)
{
	const struct timeval in = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_base_loopexit(t->base, &in);
	event_base_dispatch(t->base);
}

static void apply(struct table *t, unsigned n, struct rule **rules)
{
	assert_int_equal(rule_table_apply(t->e, rules, n), 0);
	for (unsigned i = 0; i < n; i++)
		rule_free(rules[i]);
}

static uint16_t free_port(void)
{
	uint16_t port;

	close(rig_listen(&port, 1));
	return port;
}

/* Connects to @port; whether it is @target's listener that gets the connection. */
static bool leads_to(uint16_t port, int target, int *client, int *server)
{
	struct pollfd p = {.fd = target, .events = POLLIN};

	*client = rig_connect(port, false);
	if (poll(&p, 1, 1000) != 1)
		return false;
	*server = accept(target, NULL, NULL);
	return *server >= 0;
}

static bool refuses(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool refused = connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno == ECONNREFUSED;

	close(fd);
	return refused;
}

static bool alive(int a, int b)
{
	struct pollfd p = {.fd = b, .events = POLLIN};
	char c;

	return send(a, "x", 1, MSG_NOSIGNAL) == 1 && poll(&p, 1, 1000) == 1 &&
	       recv(b, &c, 1, 0) == 1;
}

static void test_equal_untouched(void **state)
{
	struct table t;
	struct rule_state *rs;
	struct service *s;
	uint16_t port = free_port(), target;
	int l = rig_listen(&target, 8), c, u;

	open_table(&t);
	apply(&t, 1, (struct rule *[]){rig_rule(5, port, 1, &target)});
	rs = rule_table_find(t.e, 5);
	assert_int_equal(rs->status, RULE_ACTIVE);
	s = rs->service;
	assert_true(leads_to(port, l, &c, &u));
	apply(&t, 1, (struct rule *[]){rig_rule(5, port, 1, &target)});
	assert_ptr_equal(rule_table_find(t.e, 5), rs);
	assert_ptr_equal(rs->service, s);
	assert_int_equal(rs->n_listeners, WORKERS);
	assert_true(alive(c, u));
	assert_int_equal(rule_table_size(t.e), 1);
	close(c);
	close(u);
	close(l);
	close_table(&t);
}

/* Targets keep their place in memory, so health and counters, whatever their row. */
static void test_targets_change(void **state)
{
	struct table t;
	struct rule_state *rs;
	struct target *a, *b;
	struct rule_totals *totals;
	uint16_t port = free_port(), x, y, z;
	int lx = rig_listen(&x, 8), ly = rig_listen(&y, 8), lz = rig_listen(&z, 8), c, u;

	open_table(&t);
	apply(&t, 1, (struct rule *[]){rig_rule(5, port, 2, (uint16_t[]){x, y})});
	rs = rule_table_find(t.e, 5);
	totals = rs->service->totals;
	a = rs->service->target[0];
	b = rs->service->target[1];
	assert_true(leads_to(port, lx, &c, &u));
	apply(&t, 1, (struct rule *[]){rig_rule(5, port, 2, (uint16_t[]){y, z})});
	assert_ptr_equal(rs->service->totals, totals);
	assert_ptr_equal(rs->service->target[0], b);
	/* The one that went is shown until its connection is gone, and its health is no news. */
	assert_ptr_equal(LIST_FIRST(&rs->retired), a);
	assert_false(atomic_load(&a->monitored));
	assert_true(atomic_load(&b->monitored));
	assert_true(alive(c, u));
	rule_table_housekeeping(t.e);
	assert_false(LIST_EMPTY(&rs->retired));
	close(c);
	close(u);
	main_thread(&t, 30);
	rule_table_housekeeping(t.e);
	assert_true(LIST_EMPTY(&rs->retired));
	assert_int_equal(rs->gone_in, 1);
	assert_true(leads_to(port, ly, &c, &u));
	close(c);
	close(u);

	/* Down to one target: no health any more. */
	for (int i = 0; i < 3; i++)
		target_report(b, ECONNREFUSED);
	assert_int_equal(health_state(&b->health), HEALTH_FAILED);
	main_thread(&t, 10);
	assert_int_equal(t.health_changed, 1);
	apply(&t, 1, (struct rule *[]){rig_rule(5, port, 1, &y)});
	assert_ptr_equal(rs->service->target[0], b);
	assert_int_equal(health_state(&b->health), HEALTH_HEALTHY);
	assert_int_equal(atomic_load(&totals->failovers), 1);
	close(lx);
	close(ly);
	close(lz);
	close_table(&t);
}

static void test_port_swap(void **state)
{
	struct table t;
	uint16_t p1 = free_port(), p2 = free_port(), x, y;
	int lx = rig_listen(&x, 8), ly = rig_listen(&y, 8), c, u;

	open_table(&t);
	apply(&t, 2, (struct rule *[]){rig_rule(1, p1, 1, &x), rig_rule(2, p2, 1, &y)});
	assert_true(leads_to(p1, lx, &c, &u));
	apply(&t, 2, (struct rule *[]){rig_rule(2, p1, 1, &y), rig_rule(1, p2, 1, &x)});
	assert_int_equal(rule_table_find(t.e, 1)->status, RULE_ACTIVE);
	assert_int_equal(rule_table_find(t.e, 2)->status, RULE_ACTIVE);
	assert_true(alive(c, u));
	close(c);
	close(u);
	assert_true(leads_to(p1, ly, &c, &u));
	close(c);
	close(u);
	assert_true(leads_to(p2, lx, &c, &u));
	close(c);
	close(u);
	close(lx);
	close(ly);
	close_table(&t);
}

static void test_removed(void **state)
{
	struct table t;
	uint16_t port = free_port(), x;
	int l = rig_listen(&x, 8), c, u;
	char byte;

	open_table(&t);
	apply(&t, 1, (struct rule *[]){rig_rule(1, port, 1, &x)});
	assert_true(leads_to(port, l, &c, &u));
	apply(&t, 0, NULL);
	assert_int_equal(rule_table_size(t.e), 0);
	assert_null(rule_table_find(t.e, 1));
	assert_true(refuses(port));
	assert_true(alive(c, u));
	assert_int_equal(rule_table_connections(t.e), 1);
	/* Until the drain time is over. */
	main_thread(&t, 300);
	assert_true(recv(c, &byte, 1, 0) < 0);
	assert_int_equal(rule_table_connections(t.e), 0);
	close(c);
	close(u);

	/* Stopped in the middle of that. */
	apply(&t, 1, (struct rule *[]){rig_rule(1, port, 1, &x)});
	assert_true(leads_to(port, l, &c, &u));
	assert_int_equal(rule_table_remove(t.e, 1), 0);
	assert_int_equal(rule_table_remove(t.e, 1), -ENOENT);
	close(c);
	close(u);
	close(l);
	close_table(&t);
}

static void test_failed_bind(void **state)
{
	struct table t;
	struct rule_state *rs;
	uint16_t port, x;
	int l = rig_listen(&x, 8), taken = rig_listen(&port, 8), c, u;

	open_table(&t);
	apply(&t, 1, (struct rule *[]){rig_rule(1, port, 1, &x)});
	rs = rule_table_find(t.e, 1);
	assert_int_equal(rs->status, RULE_FAILED);
	assert_string_equal(rs->reason, "port_in_use");
	main_thread(&t, 50);
	assert_int_equal(t.status_changed, 0);
	close(taken);
	/* By itself, after a second. */
	main_thread(&t, 1100);
	assert_int_equal(rs->status, RULE_ACTIVE);
	assert_int_equal(t.status_changed, 1);
	assert_true(leads_to(port, l, &c, &u));
	close(c);
	close(u);
	apply(&t, 0, NULL);

	/* By sending the same rule again; and by a change of the network. */
	taken = rig_listen(&port, 8);
	apply(&t, 1, (struct rule *[]){rig_rule(1, port, 1, &x)});
	assert_int_equal(rule_table_find(t.e, 1)->status, RULE_FAILED);
	close(taken);
	apply(&t, 1, (struct rule *[]){rig_rule(1, port, 1, &x)});
	assert_int_equal(rule_table_find(t.e, 1)->status, RULE_ACTIVE);
	apply(&t, 0, NULL);
	taken = rig_listen(&port, 8);
	apply(&t, 1, (struct rule *[]){rig_rule(1, port, 1, &x)});
	close(taken);
	rule_table_retry_binds(t.e);
	assert_int_equal(rule_table_find(t.e, 1)->status, RULE_ACTIVE);
	close(l);
	close_table(&t);
}

/* Another process that listens with SO_REUSEPORT as we do: refused all the same. */
static void test_reuseport_is_no_consent(void **state)
{
	static const int on = 1;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct table t;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	open_table(&t);
	apply(&t, 1, (struct rule *[]){rig_rule(1, ntohs(a.sin_port), 1, (uint16_t[]){9})});
	assert_int_equal(rule_table_find(t.e, 1)->status, RULE_FAILED);
	close(fd);
	close_table(&t);
}

/* While connections drain before the end, nothing opens a port again. */
static void test_stopped(void **state)
{
	struct table t;
	uint16_t port = free_port(), other = free_port(), x;
	int l = rig_listen(&x, 8), c, u;

	open_table(&t);
	apply(&t, 1, (struct rule *[]){rig_rule(1, port, 1, &x)});
	assert_true(leads_to(port, l, &c, &u));
	rule_table_stop_listening(t.e);
	assert_true(refuses(port));
	assert_true(alive(c, u));
	apply(&t, 2, (struct rule *[]){rig_rule(1, port, 1, &x), rig_rule(2, other, 1, &x)});
	rule_table_retry_binds(t.e);
	assert_true(refuses(port));
	assert_true(refuses(other));
	close(c);
	close(u);
	close(l);
	close_table(&t);
}

/* Clients that wait in the queue of a paused listener when it closes are served. */
static void test_closes_while_paused(void **state)
{
	enum { N = 5 };
	struct table t;
	uint16_t port = free_port(), x;
	int l = rig_listen(&x, 16), c[N], u[N];

	open_table(&t);
	for (unsigned i = 0; i < WORKERS; i++)
		t.workers[i].listening.fd_pause_at = 1;
	apply(&t, 1, (struct rule *[]){rig_rule(1, port, 1, &x)});
	for (int i = 0; i < N; i++)
		c[i] = rig_connect(port, false);
	rule_table_stop_listening(t.e);
	for (int i = 0; i < N; i++) {
		struct pollfd p = {.fd = l, .events = POLLIN};

		assert_int_equal(poll(&p, 1, 1000), 1);
		u[i] = accept(l, NULL, NULL);
	}
	assert_int_equal(rule_table_connections(t.e), N);
	for (int i = 0; i < N; i++) {
		close(c[i]);
		close(u[i]);
	}
	close(l);
	close_table(&t);
}

static void test_drain_target(void **state)
{
	struct table t;
	uint16_t port = free_port(), x, y;
	int lx = rig_listen(&x, 8), ly = rig_listen(&y, 8), c, u, c2, u2;
	char byte;

	open_table(&t);
	apply(&t, 1, (struct rule *[]){rig_rule(1, port, 2, (uint16_t[]){x, y})});
	assert_true(leads_to(port, lx, &c, &u));
	assert_int_equal(rule_table_drain_target(t.e, 2, 0, true, false), -ENOENT);
	assert_int_equal(rule_table_drain_target(t.e, 1, 2, true, false), -ERANGE);
	assert_int_equal(rule_table_drain_target(t.e, 1, 0, true, false), 0);
	assert_true(alive(c, u));
	assert_true(leads_to(port, ly, &c2, &u2));
	close(c2);
	close(u2);
	assert_int_equal(rule_table_drain_target(t.e, 1, 0, true, true), 0);
	assert_true(recv(c, &byte, 1, 0) < 0);
	close(c);
	close(u);
	assert_int_equal(rule_table_drain_target(t.e, 1, 0, false, false), 0);
	assert_true(leads_to(port, lx, &c, &u));
	close(c);
	close(u);
	close(lx);
	close(ly);
	close_table(&t);
}

/* With many rules a port gets one socket, and the ports are spread over the workers. */
static void test_one_socket_each(void **state)
{
	enum { N = 6 };
	struct table t;
	struct rule *rules[N];
	uint16_t ports[N], x;
	int l = rig_listen(&x, 8), c, u;

	open_table(&t);
	rule_table_free(t.e);
	t.e = rule_table_new(&(struct rule_table_config){.base = t.base,
							 .account = t.account,
							 .workers = t.workers,
							 .n_workers = WORKERS,
							 .fd_limit = N * WORKERS * 4 - 4,
							 .drain_timeout_ms = 200,
							 .health_changed = on_health,
							 .rules_changed = on_rules,
							 .arg = &t});
	for (unsigned i = 0; i < N; i++) {
		ports[i] = free_port();
		rules[i] = rig_rule(i + 1, ports[i], 1, &x);
	}
	apply(&t, N, rules);
	for (unsigned i = 0; i < N; i++) {
		struct rule_state *rs = rule_table_find(t.e, i + 1);

		assert_int_equal(rs->n_listeners, 1);
		assert_int_equal(rs->worker, i % WORKERS);
		assert_true(leads_to(ports[i], l, &c, &u));
		close(c);
		close(u);
	}
	close(l);
	close_table(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_untouched),
		cmocka_unit_test(test_targets_change),
		cmocka_unit_test(test_port_swap),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_failed_bind),
		cmocka_unit_test(test_reuseport_is_no_consent),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_closes_while_paused),
		cmocka_unit_test(test_drain_target),
		cmocka_unit_test(test_one_socket_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
