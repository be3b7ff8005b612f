// SPDX-License-Identifier: MIT
/* Listening sockets: who waits when one closes is served, a bounded share per turn. */
#include "edge/worker/accepting.h"
#include "edge/worker/backlog.h"
#include "edge/worker/bind.h"
#include "edge/worker/listener.h"
#include "selftests/unit/rig_conn.h"

#define CROWD 300

struct listening_rig {
	struct rig_conn r;
	struct listener_env env;
	struct listener *listener;
	uint16_t target_port, port;
	int target, client[CROWD];
};

static void open_rig(struct listening_rig *g)
{
	int fd;

	memset(g, 0, sizeof(*g));
	rig_conn_open(&g->r);
	g->target = rig_listen(&g->target_port, CROWD);
	rig_conn_rule(&g->r, rig_rule(1, 1, 1, &g->target_port));
	g->env = (struct listener_env){.loop = &g->r.loop,
				       .conns = &g->r.env,
				       .hops = g->r.hops,
				       .fd_pause_at = 10000};
	fd = rig_listen(&g->port, CROWD);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	g->listener = listener_new(&g->env, &(struct listening){.fd = fd, .port = 1},
				   service_ref(g->r.service), NULL);
	assert_non_null(g->listener);
	for (int i = 0; i < CROWD; i++)
		g->client[i] = rig_connect(g->port, false);
}

static void close_rig(struct listening_rig *g)
{
	for (int i = 0; i < CROWD; i++)
		close(g->client[i]);
	close(g->target);
	rig_conn_close(&g->r);
}

static bool all_carried(void *arg)
{
	struct listening_rig *g = arg;

	return target_sum(g->r.service->target[0]).carried == CROWD;
}

/* A flood at the moment of removal is not dialled in one go, and nobody of it is reset. */
static void test_close_dials_in_shares(void **state)
{
	static struct listening_rig g;

	open_rig(&g);
	g.r.loop.now_ns = clock_mono_ns();
	listener_close(g.listener);
	assert_true(atomic_load(&g.r.env.n) <= 64);
	assert_true(rig_until(&g.r.loop, 3000, all_carried, &g));
	assert_true(LIST_EMPTY(&g.env.backlogs));
	close_rig(&g);
}

/* The worker ends before they are dialled. */
static void test_close_and_stop(void **state)
{
	static struct listening_rig g;

	open_rig(&g);
	g.r.loop.now_ns = clock_mono_ns();
	listener_close(g.listener);
	backlog_drop_all(&g.env);
	assert_int_equal(totals_sum(g.r.service->totals).accepted, CROWD);
	assert_int_equal(rig_ended(&g.r, END_DRAINED), CROWD - 64);
	close_rig(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_dials_in_shares),
		cmocka_unit_test(test_close_and_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
