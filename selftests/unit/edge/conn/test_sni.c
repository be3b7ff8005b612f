// SPDX-License-Identifier: MIT
/* A port that routes by server name: its table, its places, its figures; and peeks into real sockets. */
#include <stdio.h>

#include "edge/conn/peek.h"
#include "edge/conn/sni_port.h"
#include "edge/conn/sni_table.h"
#include "selftests/unit/rig_conn.h"

static struct service *service_of(struct rig_conn *r, uint64_t id, const char *pattern)
{
	struct rule *rule = rule_new(1);
	struct service *s;

	rule->id = id;
	rule->listen_port = 443;
	rule->sni_pattern = pattern ? strdup(pattern) : NULL;
	rule->targets[0].host = strdup("127.0.0.1");
	rule->targets[0].port = 9;
	s = service_new(rule, NULL, r->account, &r->watch);
	assert_non_null(s);
	rule_free(rule);
	return s;
}

static uint64_t found(const struct sni_table *t, const char *name, enum sni_match want)
{
	enum sni_match match;
	struct service *s = sni_table_find(t, name, &match);

	assert_int_equal(match, want);
	return s ? s->rule->id : 0;
}

static void test_table(void **state)
{
	static const char *const patterns[] = {"a.b.c", "*.b.c", "b.c", "*.a.b.c", "a", NULL};
	const size_t n = sizeof(patterns) / sizeof(patterns[0]);
	struct sni_port *port = sni_port_new(443, 1);
	struct service *services[6];
	struct sni_table *with, *without;
	struct rig_conn r;

	rig_conn_open(&r);
	for (size_t i = 0; i < n; i++)
		services[i] = service_of(&r, i + 1, patterns[i]);
	with = sni_table_new(port, services, n);
	without = sni_table_new(port, services, n - 1);
	assert_int_equal(found(with, "a.b.c", SNI_EXACT), 1);
	assert_int_equal(found(with, "x.b.c", SNI_WILDCARD), 2);
	assert_int_equal(found(with, "b.c", SNI_EXACT), 3);
	assert_int_equal(found(with, "x.a.b.c", SNI_WILDCARD), 4);
	assert_int_equal(found(with, "a", SNI_EXACT), 5);
	assert_int_equal(found(with, "x.y.b.c", SNI_FALLBACK), 6);
	assert_int_equal(found(with, ".b.c", SNI_FALLBACK), 6);
	assert_int_equal(found(with, "*.b.c", SNI_WILDCARD), 2);
	assert_int_equal(found(with, "", SNI_FALLBACK), 6);
	assert_int_equal(found(with, NULL, SNI_FALLBACK), 6);
	assert_int_equal(found(without, "c", SNI_NONE), 0);
	assert_int_equal(found(without, NULL, SNI_NONE), 0);
	assert_ptr_equal(sni_table_any(with), services[5]);
	assert_non_null(sni_table_any(without));
	sni_table_unref(with);
	sni_table_unref(without);
	for (size_t i = 0; i < n; i++)
		service_unref(services[i]);
	sni_port_unref(port);
	rig_conn_close(&r);
}

static struct sni_source source(const char *text)
{
	union addr a;

	assert_int_equal(addr_parse_literal(text, 1, &a), 0);
	return sni_source_of(&a);
}

static void test_places(void **state)
{
	struct sni_port *p = sni_port_new(443, 1);
	struct sni_source one = source("192.0.2.1"), net = source("2001:db8::1"),
			  same = source("2001:db8::ffff"), other = source("2001:db8:0:1::1");
	struct sni_source many[SNI_PEEKS_MAX];
	unsigned left = SNI_PEEKS_MAX - 2 * SNI_PER_SOURCE;

	for (unsigned i = 0; i < SNI_PER_SOURCE; i++) {
		assert_true(sni_port_enter(p, 0, &one));
		assert_true(sni_port_enter(p, 0, &net));
	}
	assert_false(sni_port_enter(p, 0, &one));
	assert_false(sni_port_enter(p, 0, &same));
	for (unsigned i = 0; i < left; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.0.%u.%u", i >> 8, i & 255);
		many[i] = source(text);
		assert_true(sni_port_enter(p, 0, &many[i]));
	}
	assert_false(sni_port_enter(p, 0, &other));
	sni_port_leave(p, 0, &one, 0);
	assert_true(sni_port_enter(p, 0, &other));
	assert_int_equal(sni_port_sum(p).rejected, 3);
	sni_port_leave(p, 0, &other, 0);
	for (unsigned i = 0; i < left; i++)
		sni_port_leave(p, 0, &many[i], 0);
	for (unsigned i = 0; i < SNI_PER_SOURCE; i++) {
		if (i)
			sni_port_leave(p, 0, &one, 0);
		sni_port_leave(p, 0, &net, 0);
	}
	/* All are free again. */
	for (unsigned i = 0; i < left; i++)
		assert_true(sni_port_enter(p, 0, &many[i]));
	sni_port_unref(p);
}

static void test_histogram(void **state)
{
	static const uint64_t us[] = {0, 100, 101, 250, 999, 2999999, 3000000, 3000001};
	struct sni_port *p = sni_port_new(443, 2);
	struct sni_source one = source("192.0.2.1");
	struct sni_sums s;
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(us) / sizeof(us[0]); i++) {
		assert_true(sni_port_enter(p, i % 2, &one));
		sni_port_leave(p, i % 2, &one, us[i] * NS_PER_US);
		sum += us[i];
	}
	s = sni_port_sum(p);
	assert_int_equal(s.bucket[0], 2);
	assert_int_equal(s.bucket[1], 4);
	assert_int_equal(s.bucket[2], 4);
	assert_int_equal(s.bucket[3], 5);
	assert_int_equal(s.bucket[13], 5);
	assert_int_equal(s.bucket[14], 7);
	assert_int_equal(s.n, 8);
	assert_int_equal(s.took_us, sum);
	sni_port_unref(p);
}

/* ---- peeks ---- */

struct rig_peek {
	struct rig_conn r;
	struct sni_port *port;
	struct sni_table *table;
	int target;
};

static void open_rig(struct rig_peek *p)
{
	struct rule *rule = rule_new(1);
	struct service *s;
	uint16_t at;

	rig_conn_open(&p->r);
	conn_peeks_init(&p->r.env);
	p->target = rig_listen(&at, 8);
	rule->listen_port = 443;
	rule->sni_pattern = strdup("a.example");
	rule->targets[0].host = strdup("127.0.0.1");
	rule->targets[0].port = at;
	rig_conn_rule(&p->r, rule);
	p->port = sni_port_new(443, 1);
	s = p->r.service;
	p->table = sni_table_new(p->port, &s, 1);
}

static void close_rig(struct rig_peek *p)
{
	peek_end_all(&p->r.env);
	rig_spin(&p->r.loop, 1);
	assert_int_equal(p->r.env.peeks.in_use, 0);
	conn_peeks_close(&p->r.env);
	sni_table_unref(p->table);
	sni_port_unref(p->port);
	close(p->target);
	rig_conn_close(&p->r);
}

/* A client that the edge has just accepted; returns the client's end. */
static int client_of(struct rig_peek *p)
{
	struct accepted a = {.peer.v4 = {.sin_family = AF_INET}};
	int fd[2];

	rig_tcp_pair(fd);
	a.fd = fd[1];
	p->r.loop.now_ns = clock_mono_ns();
	peek_begin(&p->r.env, p->table, &a, 0);
	return fd[0];
}

static bool has_conn(void *arg)
{
	struct rig_peek *p = arg;

	return !LIST_EMPTY(&p->r.env.all);
}

static bool no_peek(void *arg)
{
	struct rig_peek *p = arg;

	return LIST_EMPTY(&p->r.env.peeking);
}

static size_t read_hello(uint8_t *out, size_t room)
{
	FILE *f = fopen("selftests/fuzz/corpus/client_hello/openssl-tls13", "re");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, room, f);
	fclose(f);
	return n;
}

static void test_peek(void **state)
{
	uint8_t hello[2048], got[2048];
	size_t len = read_hello(hello, sizeof(hello));
	struct rig_peek p;
	int fd, at;

	open_rig(&p);
	fd = client_of(&p);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(send(fd, hello + i, 1, 0), 1);
		rig_spin(&p.r.loop, 1);
		assert_int_equal(LIST_EMPTY(&p.r.env.peeking), i + 1 == len);
	}
	assert_true(rig_until(&p.r.loop, 2000, has_conn, &p));
	rig_spin(&p.r.loop, 20);
	at = accept(p.target, NULL, NULL);
	assert_true(at >= 0);
	assert_int_equal(recv(at, got, sizeof(got), MSG_WAITALL | MSG_DONTWAIT), len);
	assert_memory_equal(got, hello, len);
	assert_int_equal(totals_sum(p.r.service->totals).sni_exact, 1);
	assert_int_equal(target_sum(p.r.service->target[0]).written_in, len);
	assert_int_equal(sni_port_sum(p.port).n, 1);
	close(at);
	close(fd);
	close_rig(&p);
}

static void test_peek_ends(void **state)
{
	struct rig_peek p;
	int fd;

	open_rig(&p);
	fd = client_of(&p);
	assert_int_equal(atomic_load(&p.r.env.n), 1);
	close(fd);
	assert_true(rig_until(&p.r.loop, 2000, no_peek, &p));
	fd = client_of(&p);
	assert_int_equal(send(fd, "SSH-2.0", 7, 0), 7);
	assert_true(rig_until(&p.r.loop, 2000, no_peek, &p));
	close(fd);
	assert_int_equal(sni_port_sum(p.port).failed, 2);
	assert_int_equal(atomic_load(&p.r.env.n), 0);
	/* The rule was removed, and its time is over. */
	fd = client_of(&p);
	atomic_store(&p.r.service->totals->over, true);
	{
		uint8_t hello[2048];
		size_t len = read_hello(hello, sizeof(hello));

		assert_int_equal(send(fd, hello, len, 0), len);
	}
	assert_true(rig_until(&p.r.loop, 2000, no_peek, &p));
	assert_int_equal(sni_port_sum(p.port).missed, 1);
	close(fd);
	/* One that is under way when the worker stops. */
	fd = client_of(&p);
	close_rig(&p);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	  cmocka_unit_test(test_places),
		cmocka_unit_test(test_histogram), cmocka_unit_test(test_peek),
		cmocka_unit_test(test_peek_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
