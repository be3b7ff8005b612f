// SPDX-License-Identifier: MIT
/* The list of connections, looked at piece by piece while connections come and go. */
#include "selftests/unit/rig_conn.h"

#define CROWD 40

struct seen {
	int fd[4 * CROWD];
	unsigned n;
};

static void note(const struct conn_view *v, void *arg)
{
	struct seen *s = arg;

	s->fd[s->n++] = v->client_fd;
}

static unsigned times(const struct seen *s, int fd)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++)
		n += s->fd[i] == fd;
	return n;
}

static bool is_fd(const struct conn_view *v, const void *arg)
{
	return v->client_fd == *(const int *)arg;
}

static void end(struct rig_conn *r, int fd)
{
	assert_int_equal(conn_end_matching(&r->env, END_KILLED, is_fd, &fd), 1);
}

/* The edge's own fd of the connection that was accepted last. */
static int youngest(struct rig_conn *r)
{
	return LIST_FIRST(&r->env.all)->fd[CLIENT];
}

/* Every second connection ends while the list is read, those that are next to come among them, and
 * others are accepted: each that stays open all the time is shown, and none twice. */
static void test_nothing_is_left_out(void **state)
{
	struct rig_conn r;
	struct conn_cursor cursor;
	struct seen seen = {0};
	int client[CROWD], fd[CROWD], late[CROWD], n_late = 0;
	bool more = true;
	uint16_t port;
	int target = rig_listen(&port, 4 * CROWD);

	rig_conn_open(&r);
	rig_conn_rule(&r, rig_rule(1, 1, 1, &port));
	for (int i = 0; i < CROWD; i++) {
		client[i] = rig_client(&r);
		fd[i] = youngest(&r);
	}
	conn_visit_begin(&r.env, &cursor);
	for (int round = 0; more; round++) {
		more = conn_visit(&r.env, &cursor, 4, note, &seen);
		/* The youngest are shown first: one of those shown, one of those to come. */
		if (round < 5) {
			end(&r, fd[CROWD - 2 - 4 * round]);
			end(&r, fd[2 * round]);
			late[n_late++] = rig_client(&r);
		}
	}
	for (int i = 1; i < CROWD; i += 2)
		assert_int_equal(times(&seen, fd[i]), 1);
	for (unsigned i = 0; i < seen.n; i++)
		assert_int_equal(times(&seen, seen.fd[i]), 1);
	assert_true(LIST_FIRST(&r.env.cursors) == &r.env.sweep);
	for (int i = 0; i < CROWD; i++)
		close(client[i]);
	for (int i = 0; i < n_late; i++)
		close(late[i]);
	close(target);
	rig_conn_close(&r);
}

/* Nobody wants the rest. */
static void test_abandoned(void **state)
{
	struct rig_conn r;
	struct conn_cursor cursor;
	struct seen seen = {0};
	uint16_t port;
	int target = rig_listen(&port, 8), client[2];

	rig_conn_open(&r);
	rig_conn_rule(&r, rig_rule(1, 1, 1, &port));
	for (int i = 0; i < 2; i++)
		client[i] = rig_client(&r);
	conn_visit_begin(&r.env, &cursor);
	assert_true(conn_visit(&r.env, &cursor, 1, note, &seen));
	conn_visit_abandon(&cursor);
	assert_true(LIST_FIRST(&r.env.cursors) == &r.env.sweep);
	for (int i = 0; i < 2; i++)
		close(client[i]);
	close(target);
	rig_conn_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_left_out),
		cmocka_unit_test(test_abandoned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
